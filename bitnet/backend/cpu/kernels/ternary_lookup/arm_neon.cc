// SPDX-License-Identifier: MIT OR Apache-2.0
// Products by lookup: NEON.
#include "bitnet/backend/cpu/kernels/ternary_lookup/arm_lookup128.h"

namespace bitnet::cpu::neon {
namespace {

struct Dot {
  static int32x4_t step(int32x4_t sum, int8x16_t w, int8x16_t x) noexcept {
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
    const int16x8_t high = vmull_s8(vget_high_s8(w), vget_high_s8(x));
    return vpadalq_s16(sum, vpaddq_s16(low, high));
  }
};

}  // namespace

const TernaryLookupFns ternary_lookup{tables, sums, nullptr, gemm<Dot>, pack, 24};

}  // namespace bitnet::cpu::neon
