// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise kernels over runs of floats (meaning of the ops: ops/pointwise_ops.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/pointwise_ops.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

// A run: `count` elements one behind the other, or (step 0) one element repeated. out may be an
// input.

struct UnaryRun {
  const float* x;
  float* out;
  std::int64_t count;
  UnaryOp op;
  float p0, p1;
};

struct BinaryRun {
  const float *a, *b;
  int a_step, b_step;  // 0 or 1
  float* out;
  std::int64_t count;
  BinaryOp op;
  float p0, p1;
};

struct CompareRun {
  const float *a, *b;
  int a_step, b_step;
  std::uint8_t* out;
  std::int64_t count;
  CompareOp op;
};

/// out = condition != 0 ? a : b
struct WhereRun {
  const std::uint8_t* condition;
  const float *a, *b;
  int a_step, b_step;
  float* out;
  std::int64_t count;
};

/// From f32, f16, bf16 or i8 to f32, or from f32 to f16 or bf16.
struct ConvertRun {
  const void* from;
  void* to;
  std::int64_t count;
  DType from_type, to_type;
};

struct PointwiseKernels {
  void (*unary)(const UnaryRun&) noexcept;
  void (*binary)(const BinaryRun&) noexcept;
  void (*compare)(const CompareRun&) noexcept;
  void (*where)(const WhereRun&) noexcept;
  void (*convert)(const ConvertRun&) noexcept;
};
using PointwiseFn = const PointwiseKernels() noexcept;
PointwiseFn pointwise_reference, pointwise_avx2, pointwise_avx512, pointwise_neon;

std::span<const Kernel<PointwiseFn>> pointwise_kernels() noexcept;

/// Those of the ISA in use.
const PointwiseKernels& active_pointwise_kernels();

}  // namespace bitnet::cpu
