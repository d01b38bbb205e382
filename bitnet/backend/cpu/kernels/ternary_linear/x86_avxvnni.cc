// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with 256-bit vpdpbusd (VEX). The method is that of x86_avx512vnni.cc: planes
// are masked where they lie. A 32-bit sum holds 64 * 2 * -128 * 4 times 2^15 steps: -2^31 exactly.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/x86_tiles256.h"
#include "bitnet/backend/cpu/simd/fetch.h"

namespace bitnet::cpu::avxvnni {
namespace {

inline Lanes32 dot(Lanes32 sum, __m256i codes, __m256i q) noexcept {
  return reinterpret_cast<Lanes32>(
      _mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), codes, q));
}

inline __m256i plane_mask(int plane) noexcept {
  return _mm256_set1_epi8(static_cast<char>(0xC0 >> (2 * plane)));
}

// A row times one token, a sum for each plane.
template <bool kSecondCache>
inline Lanes32 gemv_row(const TernaryLinearArgs& a, const std::uint8_t* w) noexcept {
  const __m256i plane0 = plane_mask(0), plane1 = plane_mask(1);
  const __m256i plane2 = plane_mask(2), plane3 = plane_mask(3);
  Lanes32 sum0{}, sum1{}, sum2{}, sum3{};
  const auto step = [&](std::int64_t block, const std::int8_t* x) {
    const __m256i codes = load(w + 32 * block);
    sum0 = dot(sum0, codes & plane0, load(x));
    sum1 = dot(sum1, codes & plane1, load(x + 64));
    sum2 = dot(sum2, codes & plane2, load(x + 128));
    sum3 = dot(sum3, codes & plane3, load(x + 192));
  };
  const std::int8_t* x = a.activations;
  for (std::int64_t b = 0; b + 2 <= a.blocks; b += 2, x += 256) {
    fetch_ahead<kSecondCache>(w + 32 * b + a.fetch.bytes);
    step(b, x);
    step(b + 1, x + 32);
  }
  if (a.blocks % 2) step(a.blocks - 1, x);
  return (sum0 >> 6) + (sum1 >> 4) + (sum2 >> 2) + sum3;
}

// One token: row after row, so that weights are read once and in order.
template <bool kSecondCache>
void gemv(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.rows; first += kTileRows) {
    const RowTile tile = row_tile(a, first);
    const Sums<Lanes32> sums{gemv_row<kSecondCache>(a, tile.w0), gemv_row<kSecondCache>(a, tile.w1),
                             gemv_row<kSecondCache>(a, tile.w2),
                             gemv_row<kSecondCache>(a, tile.w3)};
    store(a, tile, 0, totals(sums));
  }
}

// Several tokens: plane after plane, highest first, sums divided by 4 between planes (exactly).
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  const std::int64_t stride = a.activation_stride;
  Sums<Lanes32> sum0, sum1, sum2;
  const auto divide = [](Sums<Lanes32>& s) { s.r0 >>= 2, s.r1 >>= 2, s.r2 >>= 2, s.r3 >>= 2; };
  const std::uint8_t* next = tile.w0 + kTileRows * a.row_bytes;
  for (int g = 0; g < 4; ++g, next += a.row_bytes) {
    const __m256i plane = plane_mask(g);
    const std::int8_t* x = a.activations + token * stride + 64 * g;
    divide(sum0), divide(sum1), divide(sum2);
    const auto step = [&](std::int64_t b, const std::int8_t* q) {
      const __m256i q0 = load(q);
      const __m256i q1 = kTokens > 1 ? load(q + stride) : q0;
      const __m256i q2 = kTokens > 2 ? load(q + 2 * stride) : q0;
      const auto row = [&](const std::uint8_t* w, Lanes32& s0, Lanes32& s1, Lanes32& s2) {
        const __m256i codes = load(w + 32 * b) & plane;
        s0 = dot(s0, codes, q0);
        if constexpr (kTokens > 1) s1 = dot(s1, codes, q1);
        if constexpr (kTokens > 2) s2 = dot(s2, codes, q2);
      };
      row(tile.w0, sum0.r0, sum1.r0, sum2.r0);
      row(tile.w1, sum0.r1, sum1.r1, sum2.r1);
      row(tile.w2, sum0.r2, sum1.r2, sum2.r2);
      row(tile.w3, sum0.r3, sum1.r3, sum2.r3);
    };
    for (std::int64_t b = 0; b + 2 <= a.blocks; b += 2, x += 256) {
      _mm_prefetch(next + 32 * b, _MM_HINT_T0);
      step(b, x);
      step(b + 1, x + 32);
    }
    if (a.blocks % 2) step(a.blocks - 1, x);
  }
  store(a, tile, token, totals(sum0));
  if constexpr (kTokens > 1) store(a, tile, token + 1, totals(sum1));
  if constexpr (kTokens > 2) store(a, tile, token + 2, totals(sum2));
}

// 12 sums of 16 registers at most.
constexpr GemmTileFn* kGemmTile[] = {gemm_tile<1>, gemm_tile<2>, gemm_tile<3>};

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1)
    a.fetch.second_cache ? gemv<true>(a) : gemv<false>(a);
  else
    gemm(a, kGemmTile);
}

}  // namespace bitnet::cpu::avxvnni
