// SPDX-License-Identifier: MIT OR Apache-2.0
// Ops that act on whole rows of floats, and their gradients.
#pragma once

#include <cstdint>

#include "bitnet/tensor/dtype.h"

namespace bitnet {

/// Sums over a row x[0..n) are sum16: lane l of 16 takes k = l, l + 16, … (products go in by fused
/// multiply-adds), the lanes are added as a[l] += a[l+8], a[l+4], a[l+2], a[l+1].
///   softmax       m = max x; e = exp(x - m); y = e * (1 / sum16 e)
///   log_softmax   y = (x - m) - log(sum16 e)
///   layer_norm    c = x - sum16(x) / n; r = 1 / sqrt(sum16(c^2) / n + eps); y = fma(c * r, w, b)
///   rms_norm      as RmsNormArgs of ops/args.h, whose bits it has; w is given
/// Gradients of x, with g that of y:
///   softmax_grad      x is y: y * (g - sum16(g y))
///   log_softmax_grad  x is y: g - exp(y) * sum16(g)
///   layer_norm_grad   h = g w, z = c r: r * (h - sum16(h) / n - z * (sum16(h z) / n))
///   rms_norm_grad     r as in RmsNormArgs, h = g w, z = x r: r * (h - z * (sum16(h z) / n))
/// and in `extra`, where it is given, the row's share of the gradient of w: g z.
/// cross_entropy, for the row's target t: y[0] = (log(sum16 e) + m) - x[t];
/// cross_entropy_grad: (softmax(x)[k] - (k == t)) * g[0]. A target that is ignored gives 0.
enum class RowOp : std::uint8_t {
  softmax,
  log_softmax,
  layer_norm,
  rms_norm,
  softmax_grad,
  log_softmax_grad,
  layer_norm_grad,
  rms_norm_grad,
  cross_entropy,
  cross_entropy_grad,
};

/// Target of a row that counts for nothing.
inline constexpr std::int64_t kIgnoredTarget = -100;

/// Rows of f32, f16 or bf16 without gaps inside; stride in elements from one row to the next, 0
/// repeats a row.
struct RowsIn {
  const void* data;
  DType dtype;
  std::int64_t stride;
};
struct RowsOut {
  void* data;
  DType dtype;
  std::int64_t stride;
};

/// What the op is told. Computed in f32: halves are converted exactly on the way in, results are
/// rounded once. out may be x.
struct RowOpArgs {
  RowOp op;
  RowsIn x;
  RowsIn g;                     // of the gradients; of cross_entropy_grad one f32 for all rows
  const float* weight;          // [cols]; null: ones
  const float* bias;            // [cols]; null: zeros
  const std::int64_t* targets;  // [rows], each in [0, cols) or kIgnoredTarget
  RowsOut out;                  // of cross_entropy one element a row
  float* extra;                 // [rows][cols] or null
  std::int64_t rows, cols;
  float eps;
};

/// What kernels are told of some of the rows, all of them floats. Strides as above.
struct RowArgs {
  RowOp op;
  const float* x;
  std::int64_t x_stride;
  const float* g;  // of the gradients
  std::int64_t g_stride;
  const float* weight;          // [cols]; null: ones
  const float* bias;            // [cols]; null: zeros
  const std::int64_t* targets;  // [rows], each in [0, cols) or kIgnoredTarget
  float* out;
  std::int64_t out_stride;
  float* extra;  // [rows][cols] or null
  std::int64_t rows, cols;
  float eps;
};

}  // namespace bitnet
