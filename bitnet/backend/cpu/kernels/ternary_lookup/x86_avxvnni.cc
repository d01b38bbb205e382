// SPDX-License-Identifier: MIT OR Apache-2.0
// Products of tiles of lookups: 256-bit vpdpbusd (VEX).
#include "bitnet/backend/cpu/kernels/ternary_lookup/x86_lookup256.h"

namespace bitnet::cpu::avxvnni {
namespace {

struct Dot {
  using Lanes = std::int32_t __attribute__((vector_size(32)));
  static Lanes step(Lanes sum, __m256i codes, __m256i q) noexcept {
    return reinterpret_cast<Lanes>(
        _mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), codes, q));
  }
  static __m256i wide(Lanes sum) noexcept { return reinterpret_cast<__m256i>(sum); }
};

}  // namespace

const TernaryLookupFns ternary_lookup{nullptr, nullptr, nullptr, gemm<Dot>, pack, 1};

}  // namespace bitnet::cpu::avxvnni
