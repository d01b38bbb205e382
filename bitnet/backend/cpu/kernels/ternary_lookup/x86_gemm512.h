// SPDX-License-Identifier: MIT OR Apache-2.0
// Tiles of lookups with 512-bit vpdpbusd: weights are taken out of their bytes once for all tokens.
// Of the ISA: struct Decoder, whose entries(codes, four, last) give what digits.h, Unpacked, says.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/backend/cpu/simd/fetch.h"

namespace bitnet::cpu {
namespace {

using namespace lookup_tiles;

// Into L2: lines on their way to L1 fill its few buffers. On a Zen 4 core, with weights in memory,
// one token is 1.1 times as fast as with NTA, two are 1.4 times, 4 to 8 tokens 1.2 times.
inline void fetch(const std::uint8_t* p) noexcept { fetch_ahead<true>(p); }

inline __m512i load(const void* p) noexcept { return _mm512_load_si512(p); }

// Bytes of a row side by side: rows 0-3, 16-19, … of lanes first, then 4-7, …
inline void interleave(__m512i (&w)[4]) noexcept {
  const __m512i low01 = _mm512_unpacklo_epi8(w[0], w[1]), low23 = _mm512_unpacklo_epi8(w[2], w[3]);
  const __m512i up01 = _mm512_unpackhi_epi8(w[0], w[1]), up23 = _mm512_unpackhi_epi8(w[2], w[3]);
  w[0] = _mm512_unpacklo_epi16(low01, low23), w[1] = _mm512_unpackhi_epi16(low01, low23);
  w[2] = _mm512_unpacklo_epi16(up01, up23), w[3] = _mm512_unpackhi_epi16(up01, up23);
}

// Groups [first, first + 4) of 64 rows to [5 digits][64 rows][4 groups]; 0 from `groups` on, which
// counts nothing, whatever activations stand there.
template <class Decoder>
inline void unpack_four(const LookupGemmArgs& a, const Decoder& decoder, std::int64_t first,
                        std::uint8_t* to) noexcept {
  const __m512i twos = _mm512_set1_epi8(static_cast<char>(0xAA)), two = _mm512_set1_epi8(2);
  __m512i four[4], last[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = last[i] = _mm512_setzero_si512();
    if (first + i >= a.groups) continue;
    const __m512i code = load(a.codes + (first + i) * a.stride);
    const __mmask64 negative = _mm512_movepi8_mask(code);
    decoder.entries(code, four[i], last[i]);
    four[i] = _mm512_mask_sub_epi8(four[i], negative, twos, four[i]);
    last[i] = _mm512_mask_sub_epi8(last[i], negative, two, last[i]);
  }
  interleave(four), interleave(last);
  const __m512i three = _mm512_set1_epi8(3);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i, to += 64) {
    _mm512_store_si512(to, four[i] & three);
    _mm512_store_si512(to + 256, _mm512_srli_epi16(four[i], 2) & three);
    _mm512_store_si512(to + 512, _mm512_srli_epi16(four[i], 4) & three);
    _mm512_store_si512(to + 768, _mm512_srli_epi16(four[i], 6) & three);
    _mm512_store_si512(to + 1024, last[i]);
  }
}

// 32-bit sums as such: GCC 12 copies them around every vpdpbusd when they are declared __m512i.
using Lanes = std::int32_t __attribute__((vector_size(64)));

// kTokens tokens of a part of the columns; the order of rows is that of unpack_four().
template <int kTokens>
void multiply(const LookupGemmArgs& a, std::int64_t first, std::int64_t count,
              std::int64_t token) noexcept {
  Lanes sum[std::size_t{kTokens}][4];
  std::int32_t* const sums = a.sums + token * kStripRows;
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      sum[t][i] = first == 0 ? Lanes{} : reinterpret_cast<Lanes>(load(sums + 64 * t + 16 * i));
  const std::uint8_t* weights = a.scratch;
  const std::int8_t* q = a.activations + token * a.activation_stride + first;
  for (std::int64_t g = 0; g < count; g += 4, q += 4) {
    const std::int8_t* digit = q;
    for (int k = 0; k < kDigits; ++k, digit += a.groups, weights += 256) {
      const __m512i w0 = load(weights), w1 = load(weights + 64), w2 = load(weights + 128),
                    w3 = load(weights + 192);
#pragma GCC unroll 6
      for (int t = 0; t < kTokens; ++t) {
        std::int32_t four;
        __builtin_memcpy(&four, digit + t * a.activation_stride, 4);
        const __m512i x = _mm512_set1_epi32(four);
        const auto dot = [&](Lanes& to, __m512i w) {
          to = reinterpret_cast<Lanes>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(to), w, x));
        };
        dot(sum[t][0], w0), dot(sum[t][1], w1), dot(sum[t][2], w2), dot(sum[t][3], w3);
      }
    }
  }
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      _mm512_store_si512(sums + 64 * t + 16 * i, reinterpret_cast<__m512i>(sum[t][i]));
}

// From the order of unpack_four(): vector i holds rows 16 l + 4 i + (0 to 3) in its lane l.
inline void order_rows(std::int32_t* sums) noexcept {
  const __m512i a = load(sums), b = load(sums + 16), c = load(sums + 32), d = load(sums + 48);
  const __m512i ab0 = _mm512_shuffle_i64x2(a, b, 0x44), ab1 = _mm512_shuffle_i64x2(a, b, 0xEE);
  const __m512i cd0 = _mm512_shuffle_i64x2(c, d, 0x44), cd1 = _mm512_shuffle_i64x2(c, d, 0xEE);
  _mm512_store_si512(sums, _mm512_shuffle_i64x2(ab0, cd0, 0x88));
  _mm512_store_si512(sums + 16, _mm512_shuffle_i64x2(ab0, cd0, 0xDD));
  _mm512_store_si512(sums + 32, _mm512_shuffle_i64x2(ab1, cd1, 0x88));
  _mm512_store_si512(sums + 48, _mm512_shuffle_i64x2(ab1, cd1, 0xDD));
}

using MultiplyFn = void(const LookupGemmArgs&, std::int64_t, std::int64_t, std::int64_t) noexcept;
constexpr MultiplyFn* kMultiply[] = {multiply<1>, multiply<2>, multiply<3>,
                                     multiply<4>, multiply<5>, multiply<6>};

template <class Decoder>
void gemm(const LookupGemmArgs& a) noexcept {
  const Decoder decoder;
  for (std::int64_t first = 0; first < a.groups; first += kLookupGemmGroups) {
    const std::int64_t left = a.groups - first;
    const std::int64_t count = left < kLookupGemmGroups ? left : kLookupGemmGroups;
    for (std::int64_t g = 0; g < count; g += 4)
      unpack_four(a, decoder, first + g, a.scratch + g * kDigits * kStripRows);
    // The next codes, of these rows or of those of the next strip, come while these are multiplied:
    // lines as far apart as here are not fetched by the machine itself.
    const std::uint8_t* next =
        left > kLookupGemmGroups ? a.codes + (first + count) * a.stride : a.codes + kStripRows;
    const std::int64_t lines = 6 * kLookupGemmGroups / a.tokens + 1;  // for each six tokens
    // Tiles of 6, or of 4 and 5 where 6 would leave less.
    for (std::int64_t t = 0; t < a.tokens;) {
      for (std::int64_t i = 0; i < lines; ++i, next += a.stride) fetch(next);
      const std::int64_t rest = a.tokens - t;
      const std::int64_t now = rest <= 6 ? rest : rest < 12 ? (rest + 1) / 2 : 6;
      kMultiply[now - 1](a, first, count, t);
      t += now;
    }
  }
  for (std::int64_t t = 0; t < a.tokens; ++t) order_rows(a.sums + kStripRows * t);
}

}  // namespace
}  // namespace bitnet::cpu
