// SPDX-License-Identifier: MIT OR Apache-2.0
// Matrix products of any two arrays: what they are told, and the one order in which they add.
#pragma once

#include <cstdint>

#include "bitnet/ops/pointwise_args.h"

namespace bitnet {

enum class MatmulActivation : std::uint8_t { none, relu, relu2 };  // relu2: relu(x)^2

/// out[i][j] = activation(sum_k a[i][k] b[k][j] + bias[j]) for i < m, j < n, and each index of
/// `batch`.
/// Floats (f32, f16, bf16, mixed at will; converted exactly): k is cut into blocks of 256. A block
/// is a chain of fused multiply-adds in order of k that begins with +0; blocks are added in order,
/// ((c0 + c1) + c2) + …. The error is below (256 + k / 256) roundings of sum |a b|. f16 and bf16
/// results are rounded once more.
/// i8 times i8: exact in i32 (k <= 131071); neither bias nor activation.
/// k = 0: the sum is +0.
struct MatmulArgs {
  Shape batch;
  std::int64_t m, n, k;
  ArrayIn a, b;                             // strides of the batch axes
  std::int64_t a_row, a_col, b_row, b_col;  // bytes from a[i][k] to a[i+1][k], a[i][k+1]; of b
                                            // likewise; of each pair one is the element's size
  const float* bias;                        // [n] or null
  MatmulActivation activation;
  ArrayOut out;          // strides of the batch axes; f32, f16, bf16 or (of i8) i32
  std::int64_t out_row;  // bytes; columns lie one behind the other
};

inline constexpr std::int64_t kMatmulBlock = 256;
inline constexpr std::int64_t kMatmulMaxIntegerDepth = 131071;  // 2^31 / 128^2, less one

}  // namespace bitnet
