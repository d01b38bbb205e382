// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: smlal on 16-bit numbers, tiles of 6 x 16.
#include <arm_neon.h>

#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {
namespace {

struct Dot {
  using Moved = F32x16;
  using Element = std::int16_t;
  static constexpr int kGroup = 1, kLanes = 4, kOffset = 0;
  struct Sum {
    int32x4_t v;
    void store(std::int32_t* p) const { vst1q_s32(p, v); }
    friend Sum operator+(Sum a, Sum b) { return {vaddq_s32(a.v, b.v)}; }
  };
  static Sum zero() { return {vdupq_n_s32(0)}; }
  static Sum load(const std::int32_t* p) { return {vld1q_s32(p)}; }
  static Sum step(Sum sum, const std::int16_t* a, const std::int16_t* b) {
    return {vmlal_s16(sum.v, vld1_s16(b), vdup_n_s16(*a))};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_neon() noexcept { return matmul_i8_kernels_over<Dot, 6, 4>(); }

}  // namespace bitnet::cpu
