// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with 256-bit vpdpbusd (VEX). The method is that of x86_avx512vnni.cc: planes
// are masked where they lie. A 32-bit sum holds 64 * 2 * -128 * 4 times 2^15 steps: -2^31 exactly.
#include <immintrin.h>

#include <cstddef>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"

namespace bitnet::cpu::avxvnni {
namespace {

constexpr std::int64_t kTileRows = 4;
constexpr std::int64_t kTileTokens = 3;  // 12 sums of 16 registers
constexpr std::int64_t kPrefetchBytes = 8192;
constexpr std::int64_t kBlockBytes = 256 * 1024;  // of weights, in L2 while all tokens pass

// Not __m256i: see x86_avx512vnni.cc.
using Lanes = std::int32_t __attribute__((vector_size(32)));

inline Lanes dot(Lanes sum, __m256i codes, __m256i q) noexcept {
  return reinterpret_cast<Lanes>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), codes, q));
}

inline __m256i load(const void* p) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

inline __m256i plane_mask(int plane) noexcept {
  return _mm256_set1_epi8(static_cast<char>(0xC0 >> (2 * plane)));
}

// One for each row of a tile.
struct Sums {
  Lanes r0{}, r1{}, r2{}, r3{};
};

__m128i totals(const Sums& v) noexcept {
  const __m256i a =
      _mm256_hadd_epi32(reinterpret_cast<__m256i>(v.r0), reinterpret_cast<__m256i>(v.r1));
  const __m256i b =
      _mm256_hadd_epi32(reinterpret_cast<__m256i>(v.r2), reinterpret_cast<__m256i>(v.r3));
  const __m256i s = _mm256_hadd_epi32(a, b);
  return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

// Four rows; past the last row the last one again, its results are not stored.
struct RowTile {
  const std::uint8_t *w0, *w1, *w2, *w3;
  std::int64_t first, valid;
};

RowTile row_tile(const TernaryLinearArgs& a, std::int64_t first) noexcept {
  const std::int64_t more = a.rows - 1 - first;  // valid rows after the first
  const std::uint8_t* w = a.weights + first * a.row_bytes;
  return {w,
          w + (more < 1 ? more : 1) * a.row_bytes,
          w + (more < 2 ? more : 2) * a.row_bytes,
          w + (more < 3 ? more : 3) * a.row_bytes,
          first,
          more < 3 ? more + 1 : 4};
}

void store(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token,
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

// A row times one token, a sum for each plane.
inline Lanes gemv_row(const TernaryLinearArgs& a, const std::uint8_t* w) noexcept {
  const __m256i plane0 = plane_mask(0), plane1 = plane_mask(1);
  const __m256i plane2 = plane_mask(2), plane3 = plane_mask(3);
  Lanes sum0{}, sum1{}, sum2{}, sum3{};
  const auto step = [&](std::int64_t block, const std::int8_t* x) {
    const __m256i codes = load(w + 32 * block);
    sum0 = dot(sum0, codes & plane0, load(x));
    sum1 = dot(sum1, codes & plane1, load(x + 64));
    sum2 = dot(sum2, codes & plane2, load(x + 128));
    sum3 = dot(sum3, codes & plane3, load(x + 192));
  };
  const std::int8_t* x = a.activations;
  for (std::int64_t b = 0; b + 2 <= a.blocks; b += 2, x += 256) {
    _mm_prefetch(w + 32 * b + kPrefetchBytes, _MM_HINT_T0);
    step(b, x);
    step(b + 1, x + 32);
  }
  if (a.blocks % 2) step(a.blocks - 1, x);
  return (sum0 >> 6) + (sum1 >> 4) + (sum2 >> 2) + sum3;
}

// One token: row after row, so that weights are read once and in order.
void gemv(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.rows; first += kTileRows) {
    const RowTile tile = row_tile(a, first);
    const Sums sums{gemv_row(a, tile.w0), gemv_row(a, tile.w1), gemv_row(a, tile.w2),
                    gemv_row(a, tile.w3)};
    store(a, tile, 0, totals(sums));
  }
}

// Several tokens: plane after plane, highest first, sums divided by 4 between planes (exactly).
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  const std::int64_t stride = a.activation_stride;
  Sums sum0, sum1, sum2;
  const auto divide = [](Sums& s) { s.r0 >>= 2, s.r1 >>= 2, s.r2 >>= 2, s.r3 >>= 2; };
  const std::uint8_t* next = tile.w0 + kTileRows * a.row_bytes;
  for (int g = 0; g < 4; ++g, next += a.row_bytes) {
    const __m256i plane = plane_mask(g);
    const std::int8_t* x = a.activations + token * stride + 64 * g;
    divide(sum0), divide(sum1), divide(sum2);
    const auto step = [&](std::int64_t b, const std::int8_t* q) {
      const __m256i q0 = load(q);
      const __m256i q1 = kTokens > 1 ? load(q + stride) : q0;
      const __m256i q2 = kTokens > 2 ? load(q + 2 * stride) : q0;
      const auto row = [&](const std::uint8_t* w, Lanes& s0, Lanes& s1, Lanes& s2) {
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

using GemmTileFn = void(const TernaryLinearArgs&, const RowTile&, std::int64_t) noexcept;
constexpr GemmTileFn* kGemmTile[kTileTokens] = {gemm_tile<1>, gemm_tile<2>, gemm_tile<3>};

void gemm(const TernaryLinearArgs& a) noexcept {
  const std::int64_t fitting = kBlockBytes / (a.row_bytes * kTileRows) * kTileRows;
  const std::int64_t block_rows = fitting > kTileRows ? fitting : kTileRows;
  for (std::int64_t begin = 0; begin < a.rows; begin += block_rows) {
    const std::int64_t end = begin + block_rows < a.rows ? begin + block_rows : a.rows;
    for (std::int64_t t = 0; t < a.tokens; t += kTileTokens) {
      const std::int64_t left = a.tokens - t;
      GemmTileFn* run = kGemmTile[(left < kTileTokens ? left : kTileTokens) - 1];
      for (std::int64_t r = begin; r < end; r += kTileRows) run(a, row_tile(a, r), t);
    }
  }
}

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1)
    gemv(a);
  else
    gemm(a);
}

}  // namespace bitnet::cpu::avxvnni
