// SPDX-License-Identifier: MIT OR Apache-2.0
// A ternary weight matrix and what its scales mean.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet/tensor/quantization.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// A matrix in the layout of ternary/lookup_tiles.h.
struct LookupTiles {
  Tensor bytes;  // i8 [lookup_tiles::bytes(rows, cols)]
  std::int64_t rows = 0, cols = 0;
};

/// w[r][k] = (code[r][k] - 1) * scale, where the scale belongs to the tensor, to row r, or to
/// columns [g * group_cols, (g + 1) * group_cols) of row r. Scales always multiply: a file that
/// stores 1 / gamma is inverted, once, when it is read.
struct TernaryMatrix {
  Tensor codes;       // DType::ternary2 [rows][cols], block128 layout; empty where `tiles` is not
  LookupTiles tiles;  // the same weights for kernels that look sums up; mostly empty
  ScaleGranularity granularity = ScaleGranularity::tensor;
  float scale = 1.0f;           // tensor
  std::vector<float> scales;    // row: [rows]; group: [rows][ceil(cols / group_cols)]
  std::int64_t group_cols = 0;  // a multiple of 256

  std::int64_t rows() const noexcept { return codes.defined() ? codes.rows() : tiles.rows; }
  std::int64_t cols() const noexcept { return codes.defined() ? codes.cols() : tiles.cols; }
  bool defined() const noexcept { return codes.defined() || tiles.bytes.defined(); }
  /// Of the weights; scales are not counted.
  std::size_t size_bytes() const noexcept { return codes.size_bytes() + tiles.bytes.size_bytes(); }
};

}  // namespace bitnet
