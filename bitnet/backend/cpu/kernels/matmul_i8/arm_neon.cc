// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: smlal on 16-bit numbers, tiles of 6 x 16.
#include "bitnet/backend/cpu/kernels/matmul_i8/arm_sums128.h"
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {
namespace {

struct Dot : Sums128 {
  using Moved = F32x16;
  using Element = std::int16_t;
  static constexpr int kGroup = 1, kOffset = 0;
  static Sum step(Sum sum, const std::int16_t* a, const std::int16_t* b) {
    return {vmlal_s16(sum.v, vld1_s16(b), vdup_n_s16(*a))};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_neon() noexcept { return matmul_i8_kernels_over<Dot, 6, 4>(); }

}  // namespace bitnet::cpu
