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
  static Sum set(std::int32_t n) { return {_mm256_set1_epi32(n)}; }
  static Sum twice(Sum high, Sum low) {
    return {_mm256_add_epi32(_mm256_slli_epi32(high.v, 7), low.v)};
  }
};

}  // namespace
}  // namespace bitnet::cpu
