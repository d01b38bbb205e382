// SPDX-License-Identifier: MIT OR Apache-2.0
// Eight int32 sums in a 256-bit register: what the kernels of both 256-bit ISAs add to.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Sums256 {
  static constexpr int kLanes = 8;
  struct Sum {
    __m256i v;
    void store(std::int32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
    friend Sum operator+(Sum a, Sum b) { return {_mm256_add_epi32(a.v, b.v)}; }
  };
  static Sum zero() { return {_mm256_setzero_si256()}; }
  static Sum load(const std::int32_t* p) { return {bytes(p)}; }
  static __m256i bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  /// The four bytes at p in each lane.
  static __m256i repeated(const void* p) {
    int group;
    __builtin_memcpy(&group, p, sizeof group);
    return _mm256_set1_epi32(group);
  }
};

}  // namespace
}  // namespace bitnet::cpu
