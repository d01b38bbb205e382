// SPDX-License-Identifier: MIT OR Apache-2.0
// Tiles of lookups with 256-bit registers. Tables of 128 sums would be eight registers each, so
// that nothing is looked up but the weights of a byte: they are unpacked to a panel in L1, of 64
// rows and 48 groups, for any number of tokens.
#pragma once

#include <immintrin.h>

#include <algorithm>

#include "bitnet/backend/cpu/kernels/ternary_linear/x86_panel256.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/x86_pack256.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kUnpackGroups = 48;  // 60 steps of a panel
static_assert(kUnpackGroups / 4 * kDigits <= kPanelSteps && kPanelRows == kStripRows);
static_assert(kPanelBytes <= kLookupGemmScratch);

// 32 bytes to what digits.h, Unpacked, gives for each.
struct Decoder {
  __m256i low[2], high, special;

  static Decoder make() noexcept {
    return {{table256(kParts.low), table256(kParts.low + 16)},
            table256(kParts.high),
            table256(kParts.special)};
  }
  void decode(__m256i code, __m256i& four, __m256i& last) const noexcept {
    const __m256i slot = _mm256_and_si256(_mm256_srli_epi16(code, 1), _mm256_set1_epi8(31));
    const __m256i bits = _mm256_and_si256(code, _mm256_set1_epi8(0x41));
    const __m256i block = _mm256_or_si256(bits, _mm256_srli_epi16(bits, 5));
    const __m256i small = _mm256_cmpgt_epi8(slot, _mm256_set1_epi8(26));
    const __m256i from =
        _mm256_add_epi8(slot, _mm256_and_si256(small, _mm256_shuffle_epi8(special, block)));
    const __m256i three =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(low[0], from), _mm256_shuffle_epi8(low[1], from),
                           _mm256_slli_epi16(from, 3));
    const __m256i two =
        _mm256_blendv_epi8(_mm256_shuffle_epi8(high, block), _mm256_set1_epi8(0x41), small);
    four = _mm256_or_si256(three, _mm256_and_si256(two, _mm256_set1_epi8(static_cast<char>(0xC0))));
    last = _mm256_and_si256(two, _mm256_set1_epi8(3));
    const __m256i twos = _mm256_set1_epi8(static_cast<char>(0xAA)), twice = _mm256_set1_epi8(2);
    four = _mm256_blendv_epi8(four, _mm256_sub_epi8(twos, four), code);
    last = _mm256_blendv_epi8(last, _mm256_sub_epi8(twice, last), code);
  }
};

// Four bytes of a row side by side; `w`: rows in the order 0-3, 8-11, 16-19, 24-27, 4-7, …
inline void interleave(__m256i (&w)[4]) noexcept {
  const __m256i low01 = _mm256_unpacklo_epi8(w[0], w[1]), up01 = _mm256_unpackhi_epi8(w[0], w[1]);
  const __m256i low23 = _mm256_unpacklo_epi8(w[2], w[3]), up23 = _mm256_unpackhi_epi8(w[2], w[3]);
  w[0] = _mm256_unpacklo_epi16(low01, low23), w[1] = _mm256_unpackhi_epi16(low01, low23);
  w[2] = _mm256_unpacklo_epi16(up01, up23), w[3] = _mm256_unpackhi_epi16(up01, up23);
}

// Groups [first, first + 4) of 32 rows to step `step` of the five digits' runs; 0 from `groups` on,
// which counts nothing, whatever activations stand there.
inline void unpack_four(const LookupGemmArgs& a, const Decoder& decoder, std::int64_t first,
                        std::int64_t row, std::int64_t step, std::int64_t steps) noexcept {
  const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
  __m256i four[4], last[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    four[i] = last[i] = _mm256_setzero_si256();
    if (first + i >= a.groups) continue;
    const __m256i code = load256(a.codes + (first + i) * a.stride + row);
    decoder.decode(_mm256_permutevar8x32_epi32(code, order), four[i], last[i]);
  }
  interleave(four), interleave(last);
  const __m256i three = _mm256_set1_epi8(3);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    std::uint8_t* const to = a.scratch + panel_at(row + 8 * i, step, kDigits * steps);
    const auto put = [&](std::int64_t digit, __m256i codes) {
      store_codes(to + digit * steps * kStepBytes, codes);
    };
    put(0, _mm256_and_si256(four[i], three));
    put(1, _mm256_and_si256(_mm256_srli_epi16(four[i], 2), three));
    put(2, _mm256_and_si256(_mm256_srli_epi16(four[i], 4), three));
    put(3, _mm256_and_si256(_mm256_srli_epi16(four[i], 6), three));
    put(4, last[i]);
  }
}

template <class Dot>
void gemm(const LookupGemmArgs& a) noexcept {
  const Decoder decoder = Decoder::make();
  for (std::int64_t first = 0; first < a.groups; first += kUnpackGroups) {
    const std::int64_t count = std::min(kUnpackGroups, a.groups - first), steps = (count + 3) / 4;
    for (std::int64_t row = 0; row < kStripRows; row += 32)
      for (std::int64_t s = 0; s < steps; ++s)
        unpack_four(a, decoder, first + 4 * s, row, s, steps);
    // The next codes, of these rows or of those of the next strip, come while these are multiplied.
    const std::uint8_t* const next =
        first + count < a.groups ? a.codes + (first + count) * a.stride : a.codes + kStripRows;
    const auto fetch = [&](std::int64_t t, std::int64_t end) {
      for (std::int64_t i = kUnpackGroups * t / a.tokens; i < kUnpackGroups * end / a.tokens; ++i)
        _mm_prefetch(reinterpret_cast<const char*>(next + i * a.stride), _MM_HINT_T0);
    };
    multiply<Dot>({a.scratch, kStripRows, kDigits, steps, a.activations + first, a.groups,
                   a.activation_stride, a.tokens, a.sums, first > 0},
                  fetch);
  }
}

}  // namespace
}  // namespace bitnet::cpu
