// SPDX-License-Identifier: MIT OR Apache-2.0
// A ternary weight matrix and what its scales mean.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet/tensor/quantization.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// w[r][k] = (code[r][k] - 1) * scale, where the scale belongs to the tensor, to row r, or to
/// columns [g * group_cols, (g + 1) * group_cols) of row r. Scales always multiply: a file that
/// stores 1 / gamma is inverted, once, when it is read.
struct TernaryMatrix {
  Tensor codes;  // DType::ternary2 [rows][cols], block128 layout
  ScaleGranularity granularity = ScaleGranularity::tensor;
  float scale = 1.0f;           // tensor
  std::vector<float> scales;    // row: [rows]; group: [rows][ceil(cols / group_cols)]
  std::int64_t group_cols = 0;  // a multiple of 256

  std::int64_t rows() const noexcept { return codes.rows(); }
  std::int64_t cols() const noexcept { return codes.cols(); }
  bool defined() const noexcept { return codes.defined(); }
};

}  // namespace bitnet
