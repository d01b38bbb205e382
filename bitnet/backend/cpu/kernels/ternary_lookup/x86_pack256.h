// SPDX-License-Identifier: MIT OR Apache-2.0
// Packing for lookups with 256-bit registers.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "bitnet/backend/cpu/kernels/ternary_lookup/digits.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"

namespace bitnet::cpu {
namespace {

using namespace lookup_tiles;

inline __m256i load256(const void* p) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// 16 bytes, for shuffles of both halves.
inline __m256i table256(const std::uint8_t* p) noexcept {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

// Bytes of a table of 128; indices below 128.
inline __m256i find128(const std::uint8_t* table, __m256i index) noexcept {
  __m256i found = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int part = 0; part < 8; ++part) {
    // 0x70 to 0x7f where it is of this part, else bit 7 is set, which gives 0.
    const __m256i here =
        _mm256_adds_epu8(_mm256_xor_si256(index, _mm256_set1_epi8(static_cast<char>(16 * part))),
                         _mm256_set1_epi8(0x70));
    found = _mm256_or_si256(found, _mm256_shuffle_epi8(table256(table + 16 * part), here));
  }
  return found;
}

// The weights of a row by places, 0 from its last column on.
inline void unpack_row(const LookupPackArgs& a, std::int64_t row, std::int8_t* w,
                       std::int64_t length) noexcept {
  for (std::int64_t i = 0; i < length; ++i) w[i] = 0;
  if (row >= a.rows) return;
  const std::uint8_t* const codes = a.rows_of_codes + row * a.row_bytes;
  const __m256i three = _mm256_set1_epi8(3), one = _mm256_set1_epi8(1);
  for (std::int64_t block = 0; block < (a.cols + 127) / 128; ++block) {
    const __m256i bytes = load256(codes + 32 * block);
    std::int8_t* const to = w + block / 2 * kPairColumns + 32 * (block % 2);
    for (int plane = 0; plane < 4; ++plane) {
      const __m256i code =
          _mm256_and_si256(_mm256_srl_epi16(bytes, _mm_cvtsi32_si128(6 - 2 * plane)), three);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 64 * plane), _mm256_sub_epi8(code, one));
    }
  }
  for (std::int64_t col = a.cols; col < pair_order_bytes(a.cols); ++col)
    w[pair_order_index(col)] = 0;
}

// One row's bytes in the order of groups; returns how many have bit 7.
inline std::int32_t pack_row(const std::int8_t* w, std::int64_t count, std::uint8_t* out) noexcept {
  std::int32_t negatives = 0;
  for (std::int64_t g = 0; g < count; g += 32) {
    __m256i m = _mm256_setzero_si256();
    for (std::int64_t k = kDigits; k-- > 0;)
      m = _mm256_add_epi8(_mm256_add_epi8(m, _mm256_add_epi8(m, m)), load256(w + k * count + g));
    const __m256i sign = _mm256_and_si256(m, _mm256_set1_epi8(static_cast<char>(0x80)));
    const __m256i byte = _mm256_or_si256(find128(kEntryOf.of, _mm256_abs_epi8(m)), sign);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + g), byte);
    const std::int64_t left = count - g;
    const auto negative = static_cast<std::uint32_t>(_mm256_movemask_epi8(m));
    negatives += __builtin_popcount(left >= 32 ? negative : negative & ((1u << left) - 1));
  }
  return negatives;
}

void pack(const LookupPackArgs& a) noexcept {
  const std::int64_t count = groups(a.cols), wide = (count + 63) / 64 * 64;
  std::uint8_t* const strip_bytes = a.scratch;  // [64][wide]
  auto* const w = reinterpret_cast<std::int8_t*>(a.scratch + kStripRows * wide);
  for (std::int64_t strip = a.begin; strip < a.end; ++strip) {
    for (std::int64_t r = 0; r < kStripRows; ++r) {
      const std::int64_t row = strip * kStripRows + r;
      unpack_row(a, row, w, kDigits * count + 64);
      const std::int32_t negatives = pack_row(w, count, strip_bytes + r * wide);
      __builtin_memcpy(a.out + code_bytes(a.rows, a.cols) + 4 * row, &negatives, 4);
    }
    const StripPlace at = place(strip, a.rows, count);
    for (std::int64_t g = 0; g < count; ++g)
      for (std::int64_t r = 0; r < kStripRows; ++r)
        a.out[at.offset + g * at.stride + r] = strip_bytes[r * wide + g];
  }
}

}  // namespace
}  // namespace bitnet::cpu
