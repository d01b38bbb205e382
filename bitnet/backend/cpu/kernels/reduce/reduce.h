// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels of reductions (definition: ops/reduce_ops.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/reduce_ops.h"

namespace bitnet::cpu {

enum class PieceOp : std::uint8_t { sum, sum_abs, sum_squares, sum_centered, prod, max, min };

/// A piece to one number. count <= kReducePiece, > 0.
struct PieceRun {
  const float* x;
  std::int64_t count;
  PieceOp op;
  float center;  // sum_centered: sum (x - center)^2
};

/// Rows of a piece of columns that belong to one lane: acc[i] = acc[i] op x[i] for i < count, in
/// turn for each of `rows` rows, which are x_step floats apart. `ahead`: floats from each of them
/// to what is read next, 0 if that is not known.
struct ColumnsRun {
  const float* x;
  const float* center;  // [count], of sum_centered
  float* acc;
  std::int64_t count;
  PieceOp op;
  std::int64_t rows = 1, x_step = 0, ahead = 0;  // 1 or kLaneRows rows
};
inline constexpr std::int64_t kLaneRows = 4;

struct ReduceKernels {
  float (*piece)(const PieceRun&) noexcept;
  void (*columns)(const ColumnsRun&) noexcept;
};
using ReduceFn = const ReduceKernels() noexcept;
ReduceFn reduce_reference, reduce_avx2, reduce_avx512, reduce_neon;

std::span<const Kernel<ReduceFn>> reduce_kernels() noexcept;

/// Those of the ISA in use.
const ReduceKernels& active_reduce_kernels();

}  // namespace bitnet::cpu
