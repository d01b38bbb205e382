// SPDX-License-Identifier: MIT OR Apache-2.0
// What the numbers of a quantized tensor stand for.
#pragma once

#include <cstdint>
#include <vector>

namespace bitnet {

enum class ScaleGranularity : std::uint8_t { tensor, row, group };

/// value = (q - zero_point) * scale, where scale and zero point belong to the tensor, to a row (all
/// axes but the last), or to `group_cols` columns of a row.
struct Quantization {
  ScaleGranularity granularity = ScaleGranularity::tensor;
  std::int64_t group_cols = 0;              // of group: columns that share a scale
  std::vector<float> scales;                // 1, [rows], or [rows][ceil(cols / group_cols)]
  std::vector<std::int32_t> zero_points{};  // as scales; empty where all are 0

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

}  // namespace bitnet
