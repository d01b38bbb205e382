// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with 512-bit vpdpbusd: codes as the unsigned, activations as the signed
// side.
//
// Codes are never shifted down. A plane is masked where it lies, so it counts 64, 16, 4 or 1 times;
// 32-bit sums have room for that: 64 * 2 * 128 * 4 a step, 2^14 steps (cols <= 2^22) are 2^30.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/tiles.h"
#include "bitnet/backend/cpu/simd/fetch.h"

namespace bitnet::cpu::avx512vnni {
namespace {

// 32-bit sums as such: GCC 12 copies them around every vpdpbusd when they are declared __m512i (of
// eight 64-bit lanes), and keeps arrays of them in memory.
using Lanes = std::int32_t __attribute__((vector_size(64)));

inline Lanes dot(Lanes sum, __m512i codes, __m512i q) noexcept {
  return reinterpret_cast<Lanes>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), codes, q));
}

// One for each row of a tile.
struct Sums {
  Lanes r0{}, r1{}, r2{}, r3{};
};

// {sum of r0, sum of r1, sum of r2, sum of r3}
__m128i totals(const Sums& v) noexcept {
  const auto r0 = reinterpret_cast<__m512i>(v.r0), r1 = reinterpret_cast<__m512i>(v.r1);
  const auto r2 = reinterpret_cast<__m512i>(v.r2), r3 = reinterpret_cast<__m512i>(v.r3);
  const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
  const __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
  const __m512i s = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
  const __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64(s, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

void store(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token,
           __m128i coded) noexcept {
  const __m128i sum = _mm_sub_epi32(coded, _mm_set1_epi32(a.activation_sum[token]));
  const __m128 y = _mm_mul_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(a.token_scale[token]));
  const auto valid = static_cast<__mmask8>((1 << tile.valid) - 1);
  _mm_mask_storeu_ps(a.out + token * a.out_stride + tile.first, valid, y);
}

inline __m512i plane_mask(int plane) noexcept {
  return _mm512_set1_epi8(static_cast<char>(0xC0 >> (2 * plane)));
}

inline __m256i load_block(const std::uint8_t* p) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// The last block of an odd number; the other half of the vector is 0.
inline __m512i load_last(const std::uint8_t* p) noexcept {
  return _mm512_zextsi256_si512(load_block(p));
}

// Two blocks by two loads: weights may be aligned to 32 bytes only, and loads that straddle two
// cache lines on their way from memory cost up to a third of the bandwidth.
inline __m512i load_halves(const std::uint8_t* p) noexcept {
  return _mm512_inserti64x4(_mm512_castsi256_si512(load_block(p)), load_block(p + 32), 1);
}

// A row times one token, a sum for each plane.
template <bool kSecondCache>
inline Lanes gemv_row(const TernaryLinearArgs& a, const std::uint8_t* w) noexcept {
  const __m512i plane0 = plane_mask(0), plane1 = plane_mask(1);
  const __m512i plane2 = plane_mask(2), plane3 = plane_mask(3);
  Lanes sum0{}, sum1{}, sum2{}, sum3{};
  const auto step = [&](__m512i codes, const std::int8_t* x) {
    sum0 = dot(sum0, codes & plane0, _mm512_load_si512(x));
    sum1 = dot(sum1, codes & plane1, _mm512_load_si512(x + 64));
    sum2 = dot(sum2, codes & plane2, _mm512_load_si512(x + 128));
    sum3 = dot(sum3, codes & plane3, _mm512_load_si512(x + 192));
  };
  const std::int64_t pairs = a.blocks / 2;
  for (std::int64_t i = 0; i < pairs; ++i) {
    fetch_ahead<kSecondCache>(w + 64 * i + a.fetch.bytes);
    step(load_halves(w + 64 * i), a.activations + 256 * i);
  }
  if (a.blocks % 2) step(load_last(w + 64 * pairs), a.activations + 256 * pairs);
  return (sum0 >> 6) + (sum1 >> 4) + (sum2 >> 2) + sum3;
}

// One token: row after row, so that weights are read once and in order.
template <bool kSecondCache>
void gemv(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.rows; first += kTileRows) {
    const RowTile tile = row_tile(a, first);
    const Sums sums{gemv_row<kSecondCache>(a, tile.w0), gemv_row<kSecondCache>(a, tile.w1),
                    gemv_row<kSecondCache>(a, tile.w2), gemv_row<kSecondCache>(a, tile.w3)};
    store(a, tile, 0, totals(sums));
  }
}

// Several tokens: plane after plane over the whole row, highest first. Between planes the sums are
// divided by 4 (exactly, all are multiples of it), so that every plane counts once in the end.
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  const std::int64_t stride = a.activation_stride;
  const std::int64_t pairs = a.blocks / 2;
  Sums sum0, sum1, sum2, sum3;
  const auto divide = [](Sums& s) { s.r0 >>= 2, s.r1 >>= 2, s.r2 >>= 2, s.r3 >>= 2; };
  const std::uint8_t* next = tile.w0 + kTileRows * a.row_bytes;
  const std::int64_t far = kTokens > 2 ? kTileRows * a.row_bytes : kFarBytes;
  for (int g = 0; g < 4; ++g, next += a.row_bytes) {
    const __m512i plane = plane_mask(g);
    divide(sum0), divide(sum1), divide(sum2), divide(sum3);
    const auto step = [&](__m512i w0, __m512i w1, __m512i w2, __m512i w3, const std::int8_t* x) {
      const __m512i c0 = w0 & plane, c1 = w1 & plane, c2 = w2 & plane, c3 = w3 & plane;
      const auto add = [&](Sums& s, const std::int8_t* of_token) {
        const __m512i q = _mm512_load_si512(of_token);
        s.r0 = dot(s.r0, c0, q), s.r1 = dot(s.r1, c1, q);
        s.r2 = dot(s.r2, c2, q), s.r3 = dot(s.r3, c3, q);
      };
      add(sum0, x);
      if constexpr (kTokens > 1) add(sum1, x + stride);
      if constexpr (kTokens > 2) add(sum2, x + 2 * stride);
      if constexpr (kTokens > 3) add(sum3, x + 3 * stride);
    };
    const std::int8_t* x = a.activations + token * stride + 64 * g;
    for (std::int64_t i = 0; i < pairs; ++i, x += 256) {
      _mm_prefetch(next + 64 * i + far, _MM_HINT_T1);
      _mm_prefetch(next + 64 * i, _MM_HINT_T0);
      step(_mm512_loadu_si512(tile.w0 + 64 * i), _mm512_loadu_si512(tile.w1 + 64 * i),
           _mm512_loadu_si512(tile.w2 + 64 * i), _mm512_loadu_si512(tile.w3 + 64 * i), x);
    }
    if (a.blocks % 2)
      step(load_last(tile.w0 + 64 * pairs), load_last(tile.w1 + 64 * pairs),
           load_last(tile.w2 + 64 * pairs), load_last(tile.w3 + 64 * pairs), x);
  }
  store(a, tile, token, totals(sum0));
  if constexpr (kTokens > 1) store(a, tile, token + 1, totals(sum1));
  if constexpr (kTokens > 2) store(a, tile, token + 2, totals(sum2));
  if constexpr (kTokens > 3) store(a, tile, token + 3, totals(sum3));
}

constexpr GemmTileFn* kGemmTile[] = {gemm_tile<1>, gemm_tile<2>, gemm_tile<3>, gemm_tile<4>};

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1)
    a.fetch.second_cache ? gemv<true>(a) : gemv<false>(a);
  else
    gemm(a, kGemmTile);
}

}  // namespace bitnet::cpu::avx512vnni
