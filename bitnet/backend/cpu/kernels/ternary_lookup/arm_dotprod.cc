// SPDX-License-Identifier: MIT OR Apache-2.0
// Products by lookup: sdot for many tokens.
#include "bitnet/backend/cpu/kernels/ternary_lookup/arm_lookup128.h"

namespace bitnet::cpu::neon_dotprod {
namespace {

struct Dot {
  static int32x4_t step(int32x4_t sum, int8x16_t w, int8x16_t x) noexcept {
    return vdotq_s32(sum, w, x);
  }
};

}  // namespace

const TernaryLookupFns ternary_lookup{tables, sums, nullptr, gemm<Dot>, pack, 24};

}  // namespace bitnet::cpu::neon_dotprod
