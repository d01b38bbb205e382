// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with 512-bit vpdpbusd: codes as the unsigned, activations as the signed
// side.
//
// Codes are never shifted down. A plane is masked where it lies, so it counts 64, 16, 4 or 1 times;
// 32-bit sums have room for that: 64 * 2 * 128 * 4 a step, 2^14 steps (cols <= 2^22) are 2^30.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"

namespace bitnet::cpu::avx512vnni {
namespace {

constexpr int kTileRows = 4;
constexpr int kTileTokens = 4;
// How far ahead of its use a weight is fetched while the memory is the limit. Measured: see the
// benchmark beside this file.
constexpr std::int64_t kPrefetchBytes = 8192;
// Weights that stay in L2 while all tokens pass over them.
constexpr std::int64_t kBlockBytes = 256 * 1024;

// 32-bit sums as such: GCC 12 copies them around every vpdpbusd when they are declared __m512i (of
// eight 64-bit lanes), and keeps arrays of them in memory.
using Lanes = std::int32_t __attribute__((vector_size(64)));

inline Lanes dot(Lanes sum, __m512i codes, __m512i q) noexcept {
  return reinterpret_cast<Lanes>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), codes, q));
}

// One for each row of a tile.
struct Sums {
  Lanes r0{}, r1{}, r2{}, r3{};

  void operator+=(const Sums& b) noexcept { r0 += b.r0, r1 += b.r1, r2 += b.r2, r3 += b.r3; }
  void operator>>=(int shift) noexcept { r0 >>= shift, r1 >>= shift, r2 >>= shift, r3 >>= shift; }
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

// Four rows; past the last row the last one again, its results are not stored.
struct RowTile {
  const std::uint8_t *w0, *w1, *w2, *w3;
  std::int64_t first;
  __mmask8 valid;
};

RowTile row_tile(const TernaryLinearArgs& a, std::int64_t first) noexcept {
  const std::int64_t more = a.rows - 1 - first;  // valid rows after the first
  const std::uint8_t* w = a.weights + first * a.row_bytes;
  return {w,
          w + (more < 1 ? more : 1) * a.row_bytes,
          w + (more < 2 ? more : 2) * a.row_bytes,
          w + (more < 3 ? more : 3) * a.row_bytes,
          first,
          static_cast<__mmask8>(more < 3 ? (2 << more) - 1 : 15)};
}

constexpr __mmask16 kWhole = 0xFFFF;  // two blocks
constexpr __mmask16 kHalf = 0x00FF;   // the last one of an odd number

void store(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token,
           __m128i coded) noexcept {
  const __m128i sum = _mm_sub_epi32(coded, _mm_set1_epi32(a.activation_sum[token]));
  const __m128 y = _mm_mul_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(a.token_scale[token]));
  _mm_mask_storeu_ps(a.out + token * a.out_stride + tile.first, tile.valid, y);
}

struct Codes {
  __m512i r0, r1, r2, r3;
};

inline Codes load(const RowTile& tile, std::int64_t offset, __mmask16 half) noexcept {
  return {_mm512_maskz_loadu_epi32(half, tile.w0 + offset),
          _mm512_maskz_loadu_epi32(half, tile.w1 + offset),
          _mm512_maskz_loadu_epi32(half, tile.w2 + offset),
          _mm512_maskz_loadu_epi32(half, tile.w3 + offset)};
}

inline void prefetch(const RowTile& tile, std::int64_t offset) noexcept {
  _mm_prefetch(tile.w0 + offset, _MM_HINT_T0);
  _mm_prefetch(tile.w1 + offset, _MM_HINT_T0);
  _mm_prefetch(tile.w2 + offset, _MM_HINT_T0);
  _mm_prefetch(tile.w3 + offset, _MM_HINT_T0);
}

inline Codes operator&(const Codes& w, __m512i plane) noexcept {
  return {w.r0 & plane, w.r1 & plane, w.r2 & plane, w.r3 & plane};
}

inline void add_products(Sums& sum, const Codes& codes, __m512i q) noexcept {
  sum.r0 = dot(sum.r0, codes.r0, q);
  sum.r1 = dot(sum.r1, codes.r1, q);
  sum.r2 = dot(sum.r2, codes.r2, q);
  sum.r3 = dot(sum.r3, codes.r3, q);
}

// One token: sums of its own for each plane, weights read once and in order.
void gemv(const TernaryLinearArgs& a) noexcept {
  const __m512i plane0 = _mm512_set1_epi8(static_cast<char>(0xC0));
  const __m512i plane1 = _mm512_set1_epi8(0x30);
  const __m512i plane2 = _mm512_set1_epi8(0x0C);
  const __m512i plane3 = _mm512_set1_epi8(0x03);
  const std::int64_t pairs = a.blocks / 2;
  for (std::int64_t first = 0; first < a.rows; first += kTileRows) {
    const RowTile tile = row_tile(a, first);
    Sums sum0, sum1, sum2, sum3;
    const auto step = [&](std::int64_t i, __mmask16 half) {
      const std::int8_t* x = a.activations + 256 * i;
      const Codes w = load(tile, 64 * i, half);
      prefetch(tile, 64 * i + kPrefetchBytes);
      add_products(sum0, w & plane0, _mm512_load_si512(x));
      add_products(sum1, w & plane1, _mm512_load_si512(x + 64));
      add_products(sum2, w & plane2, _mm512_load_si512(x + 128));
      add_products(sum3, w & plane3, _mm512_load_si512(x + 192));
    };
    for (std::int64_t i = 0; i < pairs; ++i) step(i, kWhole);
    if (a.blocks % 2) step(pairs, kHalf);
    sum0 >>= 2, sum0 += sum1;
    sum0 >>= 2, sum0 += sum2;
    sum0 >>= 2, sum0 += sum3;
    store(a, tile, 0, totals(sum0));
  }
}

// Several tokens: plane after plane over the whole row, highest first. Between planes the sums are
// divided by 4 (exactly, all are multiples of it), so that every plane counts once in the end.
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  const std::int64_t stride = a.activation_stride;
  const std::int64_t pairs = a.blocks / 2;
  Sums sum0, sum1, sum2, sum3;
  const std::uint8_t* next = tile.w0 + kTileRows * a.row_bytes;
  for (int g = 0; g < 4; ++g, next += a.row_bytes) {
    const __m512i plane = _mm512_set1_epi8(static_cast<char>(0xC0 >> (2 * g)));
    const std::int8_t* x = a.activations + token * stride + 64 * g;
    sum0 >>= 2;
    sum1 >>= 2;
    sum2 >>= 2;
    sum3 >>= 2;
    const auto step = [&](std::int64_t i, __mmask16 half) {
      const Codes codes = load(tile, 64 * i, half) & plane;
      const std::int8_t* q = x + 256 * i;
      add_products(sum0, codes, _mm512_load_si512(q));
      if constexpr (kTokens > 1) add_products(sum1, codes, _mm512_load_si512(q + stride));
      if constexpr (kTokens > 2) add_products(sum2, codes, _mm512_load_si512(q + 2 * stride));
      if constexpr (kTokens > 3) add_products(sum3, codes, _mm512_load_si512(q + 3 * stride));
    };
    for (std::int64_t i = 0; i < pairs; ++i) {
      _mm_prefetch(next + 64 * i, _MM_HINT_T0);
      step(i, kWhole);
    }
    if (a.blocks % 2) step(pairs, kHalf);
  }
  store(a, tile, token, totals(sum0));
  if constexpr (kTokens > 1) store(a, tile, token + 1, totals(sum1));
  if constexpr (kTokens > 2) store(a, tile, token + 2, totals(sum2));
  if constexpr (kTokens > 3) store(a, tile, token + 3, totals(sum3));
}

using GemmTileFn = void(const TernaryLinearArgs&, const RowTile&, std::int64_t) noexcept;
constexpr GemmTileFn* kGemmTile[kTileTokens] = {gemm_tile<1>, gemm_tile<2>, gemm_tile<3>,
                                                gemm_tile<4>};

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

}  // namespace bitnet::cpu::avx512vnni
