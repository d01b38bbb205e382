// SPDX-License-Identifier: MIT OR Apache-2.0
// Everything about a tensor but its bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "bitnet/device/device.h"
#include "bitnet/tensor/dtype.h"
#include "bitnet/tensor/layout.h"
#include "bitnet/tensor/quantization.h"
#include "bitnet/tensor/shape.h"

namespace bitnet {

/// Bytes from one element to the next along each axis; may be negative or 0. Along the last axis of
/// a packed type (DTypeInfo::packed) elements have no addresses: it counts as contiguous and its
/// stride is the bytes of a block.
using Strides = std::array<std::int64_t, Shape::kMaxRank>;

/// Strides of a row-major array whose rows are whole.
Strides row_major_strides(DType dtype, const Shape& shape);

struct TensorMetadata {
  Shape shape;
  DType dtype = DType::f32;
  Device device;
  Strides strides{};
  Layout layout;
  std::string name;
  std::optional<Quantization> quantization;
};

}  // namespace bitnet
