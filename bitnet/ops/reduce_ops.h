// SPDX-License-Identifier: MIT OR Apache-2.0
// The reductions, and the one order in which they add.
#pragma once

#include <cstdint>

namespace bitnet {

/// Of x_0 … x_{n-1}, the elements along the reduced axes in row-major order of their indices:
///   sum, mean = sum / n, prod, norm1 = sum |x|, norm2 = sqrt(sum x^2),
///   variance = sum (x - mean)^2 / (n - correction)
///   max, min: NaN where one is, -0 < +0;  argmax, argmin: first index of that value (of a NaN if
///   there is one)
/// Floats are added in f32 (f64 in f64) in this order, whatever the layout, ISA and number of
/// threads: in pieces of 2048 elements, where lane l of 16 takes l, l + 16, … of the piece from +0
/// (products from 1) and the lanes are added as a[l] += a[l+8], a[l+4], a[l+2], a[l+1]; squares go
/// into their sum by fused multiply-add. The totals of the pieces are then added in the same way,
/// until one is left. The error of a sum of n is thus below (128 + 4) log_2048(n) roundings.
/// Integers: sum, prod and norm1 wrap in i64; mean, norm2 and variance are not defined.
/// n = 0: sum 0, prod 1, mean and variance NaN; max, min and their places are errors.
enum class ReduceOp : std::uint8_t {
  sum,
  mean,
  prod,
  max,
  min,
  argmax,
  argmin,
  norm1,
  norm2,
  variance,
};

/// Elements of a piece.
inline constexpr std::int64_t kReducePiece = 2048;

}  // namespace bitnet
