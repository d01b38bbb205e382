// SPDX-License-Identifier: MIT OR Apache-2.0
// Products by lookup: smmla for many tokens, 2 rows x 8 groups times 8 groups x 2 tokens.
#include "bitnet/backend/cpu/kernels/ternary_lookup/arm_lookup128.h"

namespace bitnet::cpu::neon_i8mm {
namespace {

constexpr std::int64_t kEightBytes = 8 * kDigits * kStripRows;
constexpr std::int64_t kTileRows = 16;

// Eight bytes of each of 16 rows to the eight bytes of rows 0 and 1, of rows 2 and 3, …
inline void interleave(uint8x16_t (&w)[8]) noexcept {
  uint16x8_t two[8];  // groups 2 i and 2 i + 1 of rows 0 to 7, of rows 8 to 15
  for (int i = 0; i < 4; ++i) {
    two[2 * i] = vreinterpretq_u16_u8(vzip1q_u8(w[2 * i], w[2 * i + 1]));
    two[2 * i + 1] = vreinterpretq_u16_u8(vzip2q_u8(w[2 * i], w[2 * i + 1]));
  }
  for (int upper = 0; upper < 2; ++upper) {  // rows 0 to 7, rows 8 to 15
    const uint16x8_t *const g01 = two + upper, *const g45 = two + 4 + upper;
    const uint32x4_t a = vreinterpretq_u32_u16(vzip1q_u16(g01[0], g01[2]));
    const uint32x4_t b = vreinterpretq_u32_u16(vzip2q_u16(g01[0], g01[2]));
    const uint32x4_t c = vreinterpretq_u32_u16(vzip1q_u16(g45[0], g45[2]));
    const uint32x4_t d = vreinterpretq_u32_u16(vzip2q_u16(g45[0], g45[2]));
    w[4 * upper] = vreinterpretq_u8_u32(vzip1q_u32(a, c));
    w[4 * upper + 1] = vreinterpretq_u8_u32(vzip2q_u32(a, c));
    w[4 * upper + 2] = vreinterpretq_u8_u32(vzip1q_u32(b, d));
    w[4 * upper + 3] = vreinterpretq_u8_u32(vzip2q_u32(b, d));
  }
}

// Groups [first, first + 8) of 64 rows to [5 digits][64 rows][8 groups]; 0 from `groups` on, which
// counts nothing, whatever activations stand there.
inline void unpack_eight(const LookupGemmArgs& a, std::int64_t first, std::uint8_t* to) noexcept {
  const Decoder decoder;
  for (std::int64_t row = 0; row < kStripRows; row += 16) {
    uint8x16_t four[8], last[8];
    for (int i = 0; i < 8; ++i) {
      four[i] = last[i] = vdupq_n_u8(0);
      if (first + i >= a.groups) continue;
      decoder.decode(vld1q_u8(a.codes + (first + i) * a.stride + row), four[i], last[i]);
    }
    interleave(four), interleave(last);
    for (int i = 0; i < 8; ++i) {
      std::uint8_t* const at = to + 8 * row + 16 * i;
      for (int k = 0; k < 4; ++k) vst1q_u8(at + 512 * k, digit_of(four[i], k));
      vst1q_u8(at + 512 * 4, last[i]);
    }
  }
}

// kPairs pairs of tokens times 16 rows of the groups that are unpacked; of a token that is not
// there the last one is computed again, to the same sums.
template <int kPairs>
inline void multiply(const LookupGemmArgs& a, std::int64_t first, std::int64_t count,
                     std::int64_t token, std::int64_t row) noexcept {
  const auto valid = [&](std::int64_t t) { return std::min(token + t, a.tokens - 1); };
  const auto to = [&](std::int64_t t, int i) {
    return a.sums + valid(t) * kStripRows + row + 2 * i;
  };
  const auto q = [&](std::int64_t t) {
    return a.activations + valid(t) * a.activation_stride + first;
  };
  int32x4_t sum[std::size_t{kPairs}][8];
  for (int p = 0; p < kPairs; ++p)
    for (int i = 0; i < 8; ++i)
      sum[p][i] = first == 0 ? vdupq_n_s32(0)
                             : vcombine_s32(vld1_s32(to(2 * p, i)), vld1_s32(to(2 * p + 1, i)));
  const std::uint8_t* weights = a.scratch + 8 * row;
  for (std::int64_t g = 0; g < count; g += 8)
    for (std::int64_t k = 0; k < kDigits; ++k, weights += 8 * kStripRows) {
      int8x16_t x[std::size_t{kPairs}];
      for (int p = 0; p < kPairs; ++p) {
        const std::int64_t at = k * a.groups + g;
        x[p] = vcombine_s8(vld1_s8(q(2 * p) + at), vld1_s8(q(2 * p + 1) + at));
      }
      for (int i = 0; i < 8; ++i) {
        const int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(weights + 16 * i));
        for (int p = 0; p < kPairs; ++p) sum[p][i] = vmmlaq_s32(sum[p][i], x[p], w);
      }
    }
  for (int p = 0; p < kPairs; ++p)
    for (int i = 0; i < 8; ++i) {
      vst1_s32(to(2 * p, i), vget_low_s32(sum[p][i]));
      vst1_s32(to(2 * p + 1, i), vget_high_s32(sum[p][i]));
    }
}

void gemm(const LookupGemmArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.groups; first += kLookupGemmGroups) {
    const std::int64_t count = std::min(kLookupGemmGroups, a.groups - first);
    for (std::int64_t g = 0; g < count; g += 8)
      unpack_eight(a, first + g, a.scratch + g / 8 * kEightBytes);
    for (std::int64_t row = 0; row < kStripRows; row += kTileRows) {
      std::int64_t token = 0;
      for (; token + 2 < a.tokens; token += 4) multiply<2>(a, first, count, token, row);
      if (token < a.tokens) multiply<1>(a, first, count, token, row);
    }
  }
}

}  // namespace

const TernaryLookupFns ternary_lookup{tables, sums, nullptr, gemm, pack, 24};

}  // namespace bitnet::cpu::neon_i8mm
