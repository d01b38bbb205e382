// SPDX-License-Identifier: MIT OR Apache-2.0
// What the 256-bit x86 kernels share: the sums of a tile, and their way into the output.
#pragma once

#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/tiles.h"

namespace bitnet::cpu {
namespace {

// Not __m256i: see x86_avx512vnni.cc.
using Lanes32 = std::int32_t __attribute__((vector_size(32)));

inline __m256i load(const void* p) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// One for each row of a tile.
template <class Lanes>
struct Sums {
  Lanes r0{}, r1{}, r2{}, r3{};
};

// {sum of r0, sum of r1, sum of r2, sum of r3}
inline __m128i totals(const Sums<Lanes32>& v) noexcept {
  const __m256i a =
      _mm256_hadd_epi32(reinterpret_cast<__m256i>(v.r0), reinterpret_cast<__m256i>(v.r1));
  const __m256i b =
      _mm256_hadd_epi32(reinterpret_cast<__m256i>(v.r2), reinterpret_cast<__m256i>(v.r3));
  const __m256i s = _mm256_hadd_epi32(a, b);
  return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

inline void store(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token,
                  __m128i coded) noexcept {
  const __m128i sum = _mm_sub_epi32(coded, _mm_set1_epi32(a.activation_sum[token]));
  const __m128 y = _mm_mul_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(a.token_scale[token]));
  float* out = a.out + token * a.out_stride + tile.first;
  if (tile.valid == kTileRows) {
    _mm_storeu_ps(out, y);
    return;
  }
  float results[kTileRows];
  _mm_storeu_ps(results, y);
  for (std::int64_t i = 0; i < tile.valid; ++i) out[i] = results[i];
}

}  // namespace
}  // namespace bitnet::cpu
