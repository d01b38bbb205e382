// SPDX-License-Identifier: MIT OR Apache-2.0
// Eight int32 sums in a 256-bit register, for sketch_dot_impl.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Dot256 {
  static constexpr int kBytes = 32, kTokens = 4;
  typedef std::uint16_t Words __attribute__((vector_size(32)));
  struct Sum {
    __m256i v;
    void store(std::int32_t* p) const { _mm256_store_si256(reinterpret_cast<__m256i*>(p), v); }
  };
  static constexpr bool kLargeCodes = true;
  static Sum zero() { return {_mm256_setzero_si256()}; }
  static Sum add_eighth(Sum sum, Sum eight) {
    return {_mm256_add_epi32(sum.v, _mm256_srai_epi32(eight.v, 3))};
  }
  static Sum joined(Sum high, Sum low, std::int32_t start) {
    const __m256i v = _mm256_add_epi32(_mm256_slli_epi32(high.v, 7), low.v);
    return {_mm256_add_epi32(_mm256_slli_epi32(v, 1), _mm256_set1_epi32(start))};
  }
};

}  // namespace
}  // namespace bitnet::cpu
