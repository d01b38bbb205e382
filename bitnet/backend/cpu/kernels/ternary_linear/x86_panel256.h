// SPDX-License-Identifier: MIT OR Apache-2.0
// Many tokens with 256-bit registers: codes of 64 rows and some columns are unpacked to bytes that
// stay in L1 (a panel, 16 KB), and all tokens are multiplied with them. A register holds 8 rows, 4
// columns of each, so that sums lie as rows do and nothing is added up across lanes. 16 rows times
// 6 tokens are 12 sums; with two registers of codes, one of activations and one of products that is
// all there are.
//
// Of a family the ISA gives a step (struct Dot):
//   Dot::Lanes             16 or 32 bits wide sums of a register
//   Dot::step(sum, w, x)   the sum plus products of codes w and activations x
//   Dot::wide(sum)         32-bit sums of the 8 rows; Dot::Lanes must hold kPanelSteps steps
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kPanelRows = 64;
constexpr std::int64_t kPanelSteps = 64;    // of four columns
constexpr std::int64_t kRegisterRows = 16;  // what one tile of sums takes
constexpr std::int64_t kRegisterTokens = 6;
constexpr std::int64_t kStepBytes = 4 * kRegisterRows;
constexpr std::int64_t kPanelBytes = kPanelRows * kPanelSteps * 4;

/// sums[t][row] (+)= codes times activations of all steps: step s of run r takes the activations
/// q[t * token_stride + r * run_stride + 4 s] to [... + 3]. runs * steps <= kPanelSteps.
struct Panel {
  const std::uint8_t* codes;  // [rows / 16, rounded up][runs][steps][16 rows][4], 32-byte aligned
  std::int64_t rows;          // 1 to kPanelRows
  std::int64_t runs, steps;
  const std::int8_t* q;
  std::int64_t run_stride, token_stride, tokens;
  std::int32_t* sums;  // [tokens][kPanelRows], 32-byte aligned
  bool more;           // adds to sums instead of setting them
};

// Where the codes of a row's step lie.
constexpr std::int64_t panel_at(std::int64_t row, std::int64_t step, std::int64_t steps) noexcept {
  return (row / kRegisterRows * steps + step) * kStepBytes + row % kRegisterRows * 4;
}

inline __m256i load_codes(const std::uint8_t* p) noexcept {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store_codes(std::uint8_t* p, __m256i codes) noexcept {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), codes);
}

inline __m256i four_of(const std::int8_t* q) noexcept {
  std::int32_t four;
  __builtin_memcpy(&four, q, 4);
  return _mm256_set1_epi32(four);
}

template <class Dot, int kTokens>
inline void multiply_tile(const Panel& p, std::int64_t token, std::int64_t row) noexcept {
  typename Dot::Lanes sum[std::size_t{kTokens}][2] = {};
  const std::uint8_t* codes = p.codes + panel_at(row, 0, p.runs * p.steps);
  const std::int8_t* run = p.q + token * p.token_stride;
  for (std::int64_t r = 0; r < p.runs; ++r, run += p.run_stride) {
    const std::int8_t* q = run;
    for (std::int64_t s = 0; s < p.steps; ++s, q += 4, codes += kStepBytes) {
      const __m256i w0 = load_codes(codes), w1 = load_codes(codes + 32);
#pragma GCC unroll 6
      for (int t = 0; t < kTokens; ++t) {
        const __m256i x = four_of(q + t * p.token_stride);
        sum[t][0] = Dot::step(sum[t][0], w0, x);
        sum[t][1] = Dot::step(sum[t][1], w1, x);
      }
    }
  }
#pragma GCC unroll 6
  for (int t = 0; t < kTokens; ++t)
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      auto* const to = reinterpret_cast<__m256i*>(p.sums + (token + t) * kPanelRows + row + 8 * i);
      const __m256i wide = Dot::wide(sum[t][i]);
      _mm256_store_si256(to, p.more ? _mm256_add_epi32(wide, _mm256_load_si256(to)) : wide);
    }
}

using MultiplyFn = void(const Panel&, std::int64_t token, std::int64_t row) noexcept;
template <class Dot>
constexpr MultiplyFn* kMultiply[kRegisterTokens] = {multiply_tile<Dot, 1>, multiply_tile<Dot, 2>,
                                                    multiply_tile<Dot, 3>, multiply_tile<Dot, 4>,
                                                    multiply_tile<Dot, 5>, multiply_tile<Dot, 6>};

// Before each tile of tokens calls fetch(its first token, the next tile's), during which the codes
// of the next panel may come.
template <class Dot, class Fetch>
inline void multiply(const Panel& p, const Fetch& fetch) noexcept {
  for (std::int64_t t = 0; t < p.tokens;) {
    const std::int64_t rest = p.tokens - t;
    // Tiles of 6, or two of 4 to 5 where 6 would leave less.
    const std::int64_t now = rest <= kRegisterTokens      ? rest
                             : rest < 2 * kRegisterTokens ? (rest + 1) / 2
                                                          : kRegisterTokens;
    fetch(t, t + now);
    for (std::int64_t row = 0; row < p.rows; row += kRegisterRows)
      kMultiply<Dot>[now - 1](p, t, row);
    t += now;
  }
}

// Rows of eight dwords to columns of eight dwords.
inline void transpose_dwords(__m256i (&v)[8]) noexcept {
  __m256i a[8], b[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
  // Columns 0 to 3, and 4 to 7 in the upper half, of rows 0 to 3, then of rows 4 to 7.
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
    b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
    v[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
  }
}

}  // namespace
}  // namespace bitnet::cpu
