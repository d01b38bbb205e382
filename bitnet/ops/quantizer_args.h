// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantizers of rows, and dropout: what they are told and what they compute.
#pragma once

#include <cstdint>

#include "bitnet/tensor/dtype.h"

namespace bitnet {

/// Codes of a row, in groups of `group_cols` columns that share a scale; value = (code -
/// zero_point)
/// * scale.
enum class Quantizer : std::uint8_t {
  /// BitNet b1.58: scale = max(mean |x|, 1e-5) (ternary/absmean.h: the order of that sum);
  /// code = clip(rint(x * (1 / scale)), -1, 1), halves to even, block128 rows (ternary2).
  absmean_ternary,
  /// BitNet's 1-bit weights: scale = max(mean |x|, 1e-5); code +1 where x >= 0, else -1 (i1).
  sign,
  /// scale = max(max |x|, 1e-5) / 127; code = clip(rint(x * (127 / max(max |x|, 1e-5))), -127,
  /// 127).
  absmax_i8,
  /// low = min(min x, 0), high = max(max x, 0), at least 1e-5 apart; scale = (high - low) / 255;
  /// zero_point = clip(rint(-128 - low * (255 / (high - low))), -128, 127);
  /// code = clip(rint(x * (255 / (high - low))) + zero_point, -128, 127).
  asymmetric_i8,
  /// As absmax_i8, but rounded at random without bias: code = floor(x * s + u), u in [0, 1) from
  /// the
  /// numbers of base/philox.h with this seed, index row * cols + column: u = (number >> 8) / 2^24.
  stochastic_i8,
};

/// Scales that are given (one for all rows): x * (1 / scale) in place of the factors above.
/// NaN in a group: absmean_ternary and sign give a scale that is NaN and codes that mean nothing
/// (the front function refuses them); of the others its code is 0 and it counts for nothing in the
/// scale.
struct QuantizeRowsArgs {
  Quantizer kind;
  const float* x;  // [rows][x_stride]
  std::int64_t x_stride;
  std::uint8_t* codes;  // [rows][row_bytes]
  std::int64_t row_bytes;
  float* scales;              // [rows][groups]; where `given` they are read, otherwise written
  std::int32_t* zero_points;  // [rows][groups], of asymmetric_i8
  std::int64_t scale_stride;  // from one row's scales to the next's; 0: all rows share them
  bool given;
  std::uint64_t seed;
  std::int64_t rows, cols, group_cols;  // groups of packed types: whole blocks
};

/// Sums of |x| of rows in double precision, as ternary/absmean.h adds: sums[rows].
struct AbsSumArgs {
  const float* x;
  std::int64_t x_stride;
  double* sums;
  std::int64_t rows, cols;
};

/// out[i] = number(i) < threshold ? 0 : f(x[i]) * scale, f = relu (NaN stays) or x itself; numbers
/// of base/philox.h from index `first` on. With `g`: g[i] * scale where x[i] passed (relu: x[i] >
/// 0).
struct DropoutArgs {
  const float* x;
  const float* g;  // or null
  float* out;      // may be x or g
  std::int64_t count;
  std::uint64_t seed, first;
  std::uint32_t threshold;  // probability * 2^32
  float scale;              // 1 / (1 - probability)
  bool relu;
};

/// Adds rows of gradients to the rows of a table: table[ids[t]][c] += g[t][c], in order of t.
struct EmbedGradArgs {
  const std::int64_t* ids;  // [tokens], each in [0, rows of the table)
  const float* g;           // [tokens][g_stride]
  std::int64_t g_stride;
  float* table;  // [.][cols]
  std::int64_t tokens, cols;
};

}  // namespace bitnet
