// SPDX-License-Identifier: MIT OR Apache-2.0
// Products by lookup with NEON: TBL and TBX of 64 bytes each take 16 numbers out of a table of 128.
// Of the many-token product the ISA gives a step (struct Dot):
//   Dot::step(sum, w, x)  sum of four int32 plus products of four bytes each; w is 0, 1 or 2
#pragma once

#include <arm_neon.h>

#include <algorithm>
#include <cstring>

#include "bitnet/backend/cpu/kernels/ternary_lookup/digits.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

using namespace lookup_tiles;

// 16-bit sums of 5 * 128 * 48 at most.
constexpr std::int64_t kNarrowGroups = 48;

// 128 bytes in eight registers.
struct Bytes128 {
  uint8x16x4_t half[2];

  static Bytes128 at(const std::uint8_t* p) noexcept {
    return {{{{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}},
             {{vld1q_u8(p + 64), vld1q_u8(p + 80), vld1q_u8(p + 96), vld1q_u8(p + 112)}}}};
  }
  // Indices below 128: those that TBL has not give 0, those that TBX has not leave what is there.
  uint8x16_t find(uint8x16_t index) const noexcept {
    return vqtbx4q_u8(vqtbl4q_u8(half[0], index), half[1], vsubq_u8(index, vdupq_n_u8(64)));
  }
};

inline uint8x16_t sign_of(uint8x16_t codes) noexcept {
  return vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(codes), 7));
}
inline uint8x16_t entry_of(uint8x16_t codes) noexcept { return vandq_u8(codes, vdupq_n_u8(0x7f)); }

// --- tables ---

// Slots 8 q to 8 q + 7 of a block: sums of w0 to w2 plus `high`; of blocks 0 to 2 slots 27 to 31
// hold the sums m = 5 block .. 5 block + 4 of w0 to w2 alone (lookup_tiles.h, entry()).
inline uint16x8_t slots(const std::int16_t* sums, int block, int q, std::int16_t high) noexcept {
  int16x8_t all = vaddq_s16(vld1q_s16(sums + 8 * q), vdupq_n_s16(high));
  if (q == 3 && block < 3) {
    const std::uint16_t own[8] = {0xffff, 0xffff, 0xffff, 0, 0, 0, 0, 0};
    all = vbslq_s16(vld1q_u16(own), all, vld1q_s16(sums + 10 + 5 * block));
  }
  return vreinterpretq_u16_s16(all);
}

// x: five activations.
inline void table(const std::int16_t (&x)[kDigits], std::uint8_t* to) noexcept {
  std::int16_t sums[32];
  for (int q = 0; q < 4; ++q) {
    int16x8_t sum = vmulq_n_s16(vld1q_s16(kDigitsOfSlots.w[0] + 8 * q), x[0]);
    sum = vmlaq_n_s16(sum, vld1q_s16(kDigitsOfSlots.w[1] + 8 * q), x[1]);
    vst1q_s16(sums + 8 * q, vmlaq_n_s16(sum, vld1q_s16(kDigitsOfSlots.w[2] + 8 * q), x[2]));
  }
  const std::int16_t high[4] = {x[3], static_cast<std::int16_t>(x[4] - x[3]), x[4],
                                static_cast<std::int16_t>(x[4] + x[3])};
  for (int pair = 0; pair < 2; ++pair, to += 64)
    for (int q = 0; q < 4; ++q) {
      const uint16x8_t even = slots(sums, 2 * pair, q, high[2 * pair]);
      const uint16x8_t odd = slots(sums, 2 * pair + 1, q, high[2 * pair + 1]);
      vst2_u8(to + 16 * q, {{vmovn_u16(even), vmovn_u16(odd)}});
      vst2_u8(to + kEntries + 16 * q, {{vshrn_n_u16(even, 8), vshrn_n_u16(odd, 8)}});
    }
}

inline void tables(const LookupTablesArgs& a) noexcept {
  for (std::int64_t g = 0; g < a.count; ++g) {
    std::int16_t x[kDigits];
    for (std::int64_t k = 0; k < kDigits; ++k) {
      const std::int64_t at = k * a.groups + a.first + g;
      x[k] = at < a.places ? a.activations[at] : std::int16_t{0};
    }
    __builtin_prefetch(a.next + 64 * g);
    table(x, a.tables + 256 * g);
  }
}

// --- sums ---

// 16 rows: sum + (sign ? ~found : found)
inline void add_found(const Bytes128& low, const Bytes128& high, const std::uint8_t* codes,
                      std::int16_t* sums) noexcept {
  const uint8x16_t code = vld1q_u8(codes), entry = entry_of(code), sign = sign_of(code);
  const uint8x16_t l = veorq_u8(low.find(entry), sign), h = veorq_u8(high.find(entry), sign);
  vst1q_s16(sums, vaddq_s16(vld1q_s16(sums), vreinterpretq_s16_u8(vzip1q_u8(l, h))));
  vst1q_s16(sums + 8, vaddq_s16(vld1q_s16(sums + 8), vreinterpretq_s16_u8(vzip2q_u8(l, h))));
}

// 16-bit sums of a run stay in L1 (1 KB), its codes (24 KB) too, for all tokens.
inline void sums(const LookupSumsArgs& a) noexcept {
  constexpr std::int64_t kAheadGroups = 8;
  const std::int64_t rows = kStripRows * a.strips;
  for (std::int64_t begin = 0; begin < a.count; begin += kNarrowGroups) {
    const std::int64_t end = std::min(begin + kNarrowGroups, a.count);
    for (std::int64_t t = 0; t < a.tokens; ++t) {
      alignas(64) std::int16_t narrow[kTileStrips * kStripRows];
      std::fill_n(narrow, rows, std::int16_t{0});
      for (std::int64_t g = begin; g < end; ++g) {
        const std::uint8_t* const at = a.tables + 256 * (t * a.count + g);
        const Bytes128 low = Bytes128::at(at), high = Bytes128::at(at + kEntries);
        const std::uint8_t* const codes = a.codes + g * a.stride;
        const std::uint8_t* const next = g + kAheadGroups < a.count
                                             ? codes + kAheadGroups * a.stride
                                             : a.next + (g + kAheadGroups - a.count) * a.stride;
        for (std::int64_t row = 0; row < rows; row += 16) {
          if (row % 64 == 0 && t == 0) __builtin_prefetch(next + row);
          add_found(low, high, codes + row, narrow + row);
        }
      }
      std::int32_t* const to = a.sums + t * a.sums_stride;
      const bool more = a.more || begin > 0;
      for (std::int64_t row = 0; row < rows; row += 4) {
        const int32x4_t wide = vmovl_s16(vld1_s16(narrow + row));
        vst1q_s32(to + row, more ? vaddq_s32(wide, vld1q_s32(to + row)) : wide);
      }
    }
  }
}

// --- many tokens ---

constexpr std::int64_t kFourBytes = 4 * kDigits * kStripRows;

// What digits.h, Unpacked, says of 16 bytes.
struct Decoder {
  Bytes128 fours = Bytes128::at(kUnpacked.four), lasts = Bytes128::at(kUnpacked.last);

  void decode(uint8x16_t code, uint8x16_t& four, uint8x16_t& last) const noexcept {
    const uint8x16_t entry = entry_of(code), sign = sign_of(code);
    const uint8x16_t f = fours.find(entry), l = lasts.find(entry);
    four = vbslq_u8(sign, vsubq_u8(vdupq_n_u8(0xAA), f), f);
    last = vbslq_u8(sign, vsubq_u8(vdupq_n_u8(2), l), l);
  }
};

// Digit k = 0..3 of four.
inline uint8x16_t digit_of(uint8x16_t four, int k) noexcept {
  return vandq_u8(vshlq_u8(four, vdupq_n_s8(static_cast<std::int8_t>(-2 * k))), vdupq_n_u8(3));
}

// Groups [first, first + 4) of 64 rows to [5 digits][64 rows][4 groups]; 0 from `groups` on, which
// counts nothing, whatever activations stand there.
inline void unpack_four(const LookupGemmArgs& a, std::int64_t first, std::uint8_t* to) noexcept {
  const Decoder decoder;
  for (std::int64_t row = 0; row < kStripRows; row += 16) {
    uint8x16_t four[4], last[4];
    for (int i = 0; i < 4; ++i) {
      four[i] = last[i] = vdupq_n_u8(0);
      if (first + i >= a.groups) continue;
      decoder.decode(vld1q_u8(a.codes + (first + i) * a.stride + row), four[i], last[i]);
    }
    for (int k = 0; k < 4; ++k)
      vst4q_u8(to + 256 * k + 4 * row, {{digit_of(four[0], k), digit_of(four[1], k),
                                         digit_of(four[2], k), digit_of(four[3], k)}});
    vst4q_u8(to + 256 * 4 + 4 * row, {{last[0], last[1], last[2], last[3]}});
  }
}

// kTokens tokens times 32 rows of the groups that are unpacked.
template <class Dot, int kTokens>
inline void multiply(const LookupGemmArgs& a, std::int64_t first, std::int64_t count,
                     std::int64_t token, std::int64_t row) noexcept {
  std::int32_t* const to = a.sums + token * kStripRows + row;
  int32x4_t sum[std::size_t{kTokens}][8];
  for (int t = 0; t < kTokens; ++t)
    for (int i = 0; i < 8; ++i)
      sum[t][i] = first == 0 ? vdupq_n_s32(0) : vld1q_s32(to + kStripRows * t + 4 * i);
  const std::int8_t* const q = a.activations + token * a.activation_stride + first;
  const std::uint8_t* weights = a.scratch + 4 * row;
  for (std::int64_t g = 0; g < count; g += 4)
    for (std::int64_t k = 0; k < kDigits; ++k, weights += 4 * kStripRows) {
      int8x16_t x[std::size_t{kTokens}];
      for (int t = 0; t < kTokens; ++t) {
        std::int32_t four;
        std::memcpy(&four, q + t * a.activation_stride + k * a.groups + g, 4);
        x[t] = vreinterpretq_s8_s32(vdupq_n_s32(four));
      }
      for (int i = 0; i < 8; ++i) {
        const int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(weights + 16 * i));
        for (int t = 0; t < kTokens; ++t) sum[t][i] = Dot::step(sum[t][i], w, x[t]);
      }
    }
  for (int t = 0; t < kTokens; ++t)
    for (int i = 0; i < 8; ++i) vst1q_s32(to + kStripRows * t + 4 * i, sum[t][i]);
}

template <class Dot>
inline void gemm(const LookupGemmArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.groups; first += kLookupGemmGroups) {
    const std::int64_t count = std::min(kLookupGemmGroups, a.groups - first);
    for (std::int64_t g = 0; g < count; g += 4)
      unpack_four(a, first + g, a.scratch + g / 4 * kFourBytes);
    for (std::int64_t row = 0; row < kStripRows; row += 32) {
      std::int64_t token = 0;
      for (; token + 2 <= a.tokens; token += 2) multiply<Dot, 2>(a, first, count, token, row);
      if (token < a.tokens) multiply<Dot, 1>(a, first, count, token, row);
    }
  }
}

// --- packing ---

// The weights of a row by places, 0 from its last column on.
inline void unpack_row(const LookupPackArgs& a, std::int64_t row, std::int8_t* w,
                       std::int64_t length) noexcept {
  std::fill_n(w, length, std::int8_t{0});
  if (row >= a.rows) return;
  const std::uint8_t* const codes = a.rows_of_codes + row * a.row_bytes;
  for (std::int64_t block = 0; block < (a.cols + 127) / 128; ++block)
    for (std::int64_t half = 0; half < 32; half += 16) {
      const uint8x16_t bytes = vld1q_u8(codes + 32 * block + half);
      std::int8_t* const to = w + block / 2 * kPairColumns + 32 * (block % 2) + half;
      for (int plane = 0; plane < 4; ++plane) {
        const int8x16_t down = vdupq_n_s8(static_cast<std::int8_t>(2 * plane - 6));
        const uint8x16_t code = vandq_u8(vshlq_u8(bytes, down), vdupq_n_u8(3));
        vst1q_s8(to + 64 * plane, vsubq_s8(vreinterpretq_s8_u8(code), vdupq_n_s8(1)));
      }
    }
  for (std::int64_t col = a.cols; col < pair_order_bytes(a.cols); ++col)
    w[pair_order_index(col)] = 0;
}

inline void pack(const LookupPackArgs& a) noexcept {
  const std::int64_t count = groups(a.cols), padded = (count + 63) / 64 * 64;
  auto* const w = reinterpret_cast<std::int8_t*>(a.scratch + kStripRows * padded);
  const Bytes128 known = Bytes128::at(kEntryOf.of);
  auto* const negatives = a.out + code_bytes(a.rows, a.cols);
  for (std::int64_t strip = a.begin; strip < a.end; ++strip) {
    for (std::int64_t r = 0; r < kStripRows; ++r) {
      unpack_row(a, strip * kStripRows + r, w, kDigits * count + 64);
      std::uint8_t* const bytes = a.scratch + r * padded;
      for (std::int64_t g = 0; g < count; g += 16) {
        int8x16_t m = vld1q_s8(w + 4 * count + g);
        for (std::int64_t k = 4; k-- > 0;)
          m = vmlaq_s8(vld1q_s8(w + k * count + g), m, vdupq_n_s8(3));
        const uint8x16_t found = known.find(vreinterpretq_u8_s8(vabsq_s8(m)));
        vst1q_u8(bytes + g, vorrq_u8(found, vandq_u8(vreinterpretq_u8_s8(m), vdupq_n_u8(0x80))));
      }
      std::int32_t sum = 0;
      for (std::int64_t g = 0; g < count; ++g) sum += bytes[g] >> 7;
      std::memcpy(negatives + 4 * (strip * kStripRows + r), &sum, 4);
    }
    const StripPlace at = place(strip, a.rows, count);
    for (std::int64_t g = 0; g < count; ++g)
      for (std::int64_t r = 0; r < kStripRows; ++r)
        a.out[at.offset + g * at.stride + r] = a.scratch[r * padded + g];
  }
}

}  // namespace
}  // namespace bitnet::cpu
