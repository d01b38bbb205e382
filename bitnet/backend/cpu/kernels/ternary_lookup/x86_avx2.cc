// SPDX-License-Identifier: MIT OR Apache-2.0
// Products of tiles of lookups: vpmaddubsw.
#include "bitnet/backend/cpu/kernels/ternary_lookup/x86_lookup256.h"

namespace bitnet::cpu::avx2 {
namespace {

// 16-bit sums of up to 512 a step: 64 times -512 is -2^15, 64 times 508 is less than 2^15.
struct Dot {
  using Lanes = std::int16_t __attribute__((vector_size(32)));
  static Lanes step(Lanes sum, __m256i codes, __m256i q) noexcept {
    return sum + reinterpret_cast<Lanes>(_mm256_maddubs_epi16(codes, q));
  }
  static __m256i wide(Lanes sum) noexcept {
    return _mm256_madd_epi16(reinterpret_cast<__m256i>(sum), _mm256_set1_epi16(1));
  }
};
static_assert(kPanelSteps * 512 <= 1 << 15);

}  // namespace

const TernaryLookupFns ternary_lookup{nullptr, nullptr, nullptr, gemm<Dot>, pack, 1};

}  // namespace bitnet::cpu::avx2
