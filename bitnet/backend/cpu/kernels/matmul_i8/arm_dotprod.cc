// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: sdot, tiles of 6 x 16.
#include "bitnet/backend/cpu/kernels/matmul_i8/arm_sums128.h"
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {
namespace {

struct Dot : Sums128 {
  using Moved = F32x16;
  using Element = std::int8_t;
  static constexpr int kGroup = 4, kOffset = 0;
  static Sum step(Sum sum, const std::int8_t* a, const std::int8_t* b) {
    std::int32_t group;
    __builtin_memcpy(&group, a, sizeof group);
    return {vdotq_s32(sum.v, vreinterpretq_s8_s32(vdupq_n_s32(group)), vld1q_s8(b))};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_dotprod() noexcept { return matmul_i8_kernels_over<Dot, 6, 4>(); }

}  // namespace bitnet::cpu
