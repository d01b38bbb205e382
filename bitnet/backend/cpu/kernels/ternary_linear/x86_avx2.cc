// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with vpmaddubsw. A pair of products is at most 2 * 2 * 128 = 512, a block
// adds four pairs to a 16-bit sum: after 15 blocks, 30720, the sums are widened to 32 bits.
#include <immintrin.h>

#include <algorithm>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/x86_panel256.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/x86_tiles256.h"
#include "bitnet/backend/cpu/simd/fetch.h"

namespace bitnet::cpu::avx2 {
namespace {

constexpr std::int64_t kChunkBlocks = 14;  // one more may follow: the last of an odd number

// Not __m256i: see x86_avx512vnni.cc.
using Lanes16 = std::int16_t __attribute__((vector_size(32)));

inline Lanes16 products(__m256i codes, __m256i q) noexcept {
  return reinterpret_cast<Lanes16>(_mm256_maddubs_epi16(codes, q));
}

inline Lanes32 wide(Lanes16 v) noexcept {
  const __m256i pairs = _mm256_madd_epi16(reinterpret_cast<__m256i>(v), _mm256_set1_epi16(1));
  return reinterpret_cast<Lanes32>(pairs);
}

inline void widen(Sums<Lanes32>& sum, Sums<Lanes16>& part) noexcept {
  sum.r0 += wide(part.r0), sum.r1 += wide(part.r1);
  sum.r2 += wide(part.r2), sum.r3 += wide(part.r3);
  part = {};
}

// The four planes of a block.
struct Codes {
  __m256i plane0, plane1, plane2, plane3;
};

inline Codes codes_of(const std::uint8_t* w) noexcept {
  const __m256i v = load(w), two_bits = _mm256_set1_epi8(3);
  return {_mm256_srli_epi16(v, 6) & two_bits, _mm256_srli_epi16(v, 4) & two_bits,
          _mm256_srli_epi16(v, 2) & two_bits, v & two_bits};
}

// Of a block and its activations; at most 4 * 512 in absolute value.
inline Lanes16 products(const Codes& c, const std::int8_t* x) noexcept {
  return (products(c.plane0, load(x)) + products(c.plane1, load(x + 64))) +
         (products(c.plane2, load(x + 128)) + products(c.plane3, load(x + 192)));
}

// Calls step(block, its activations) for all blocks, and flush() before 16 bits overflow and at the
// end.
template <class Step, class Flush>
inline void for_blocks(std::int64_t blocks, const std::int8_t* x, const Step& step,
                       const Flush& flush) noexcept {
  const std::int64_t even = blocks / 2 * 2;
  for (std::int64_t chunk = 0; chunk < even; chunk += kChunkBlocks) {
    const std::int64_t end = chunk + kChunkBlocks < even ? chunk + kChunkBlocks : even;
    if (chunk > 0) flush();
    for (std::int64_t b = chunk; b < end; b += 2, x += 256) {
      step(b, x);
      step(b + 1, x + 32);
    }
  }
  if (blocks % 2) step(even, x);
  flush();
}

template <bool kSecondCache>
inline Lanes32 gemv_row(const TernaryLinearArgs& a, const std::uint8_t* w) noexcept {
  Lanes16 part{};
  Lanes32 sum{};
  const auto step = [&](std::int64_t b, const std::int8_t* x) {
    fetch_ahead<kSecondCache>(w + 32 * b + a.fetch.bytes);
    part += products(codes_of(w + 32 * b), x);
  };
  for_blocks(a.blocks, a.activations, step, [&] { sum += wide(part), part = Lanes16{}; });
  return sum;
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

// One or two tokens: four rows.
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  const std::int64_t stride = a.activation_stride;
  Sums<Lanes16> part0, part1;
  Sums<Lanes32> sum0, sum1;
  const auto row = [&](const std::uint8_t* w, const std::int8_t* x, Lanes16& p0, Lanes16& p1) {
    _mm_prefetch(w + kFarBytes, _MM_HINT_T1);
    const Codes c = codes_of(w);
    p0 += products(c, x);
    if constexpr (kTokens > 1) p1 += products(c, x + stride);
  };
  const auto step = [&](std::int64_t b, const std::int8_t* x) {
    row(tile.w0 + 32 * b, x, part0.r0, part1.r0);
    row(tile.w1 + 32 * b, x, part0.r1, part1.r1);
    row(tile.w2 + 32 * b, x, part0.r2, part1.r2);
    row(tile.w3 + 32 * b, x, part0.r3, part1.r3);
  };
  for_blocks(a.blocks, a.activations + token * stride, step, [&] {
    widen(sum0, part0);
    if constexpr (kTokens > 1) widen(sum1, part1);
  });
  store(a, tile, token, totals(sum0));
  if constexpr (kTokens > 1) store(a, tile, token + 1, totals(sum1));
}

// Three or four tokens: two rows at a time, so that what is unpacked serves all of them.
struct TwoRows {
  Lanes16 part[4][2] = {};  // by tokens
  Lanes32 sum[4][2] = {};

  template <int kTokens>
  void widen() noexcept {
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) {
      sum[t][0] += wide(part[t][0]), sum[t][1] += wide(part[t][1]);
      part[t][0] = part[t][1] = Lanes16{};
    }
  }
};

// Not a member: GCC 12 would keep the sums in memory.
template <int kTokens>
inline void add_rows(const TernaryLinearArgs& a, const std::uint8_t* w0, const std::uint8_t* w1,
                     std::int64_t token, TwoRows& s) noexcept {
  const std::int64_t stride = a.activation_stride, next_tile = kTileRows * a.row_bytes;
  const auto row = [&](const std::uint8_t* w, const std::int8_t* x, int i) {
    _mm_prefetch(w + next_tile, _MM_HINT_T0);
    const Codes c = codes_of(w);
#pragma GCC unroll 4
    for (int t = 0; t < kTokens; ++t) s.part[t][i] += products(c, x + t * stride);
  };
  const auto step = [&](std::int64_t b, const std::int8_t* x) {
    row(w0 + 32 * b, x, 0), row(w1 + 32 * b, x, 1);
  };
  for_blocks(a.blocks, a.activations + token * stride, step, [&] { s.widen<kTokens>(); });
}

template <int kTokens>
void gemm_two_rows(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  TwoRows s01, s23;
  add_rows<kTokens>(a, tile.w0, tile.w1, token, s01);
  add_rows<kTokens>(a, tile.w2, tile.w3, token, s23);
#pragma GCC unroll 4
  for (int t = 0; t < kTokens; ++t)
    store(a, tile, token + t,
          totals(Sums<Lanes32>{s01.sum[t][0], s01.sum[t][1], s23.sum[t][0], s23.sum[t][1]}));
}

// 8 sums of 16 registers at most.
constexpr GemmTileFn* kGemmTile[] = {gemm_tile<1>, gemm_tile<2>, gemm_two_rows<3>,
                                     gemm_two_rows<4>};

// --- many tokens: panels of 64 rows and a pair of blocks ---

// From so many on unpacking once for all of them is faster.
constexpr std::int64_t kManyTokens = 9;
constexpr std::int64_t kPanelTokens = 128;  // whose sums are 32 KB

// 16-bit sums of up to 512 a step: 64 times -512 is -2^15, 64 times 508 is less than 2^15.
struct Dot {
  using Lanes = Lanes16;
  static Lanes step(Lanes sum, __m256i codes, __m256i q) noexcept {
    return sum + products(codes, q);
  }
  static __m256i wide(Lanes sum) noexcept { return reinterpret_cast<__m256i>(avx2::wide(sum)); }
};
static_assert(kPanelSteps * 512 <= 1 << 15 && kPanelSteps == 256 / 4);

// 8 rows of a block; past the last row the last one again.
inline void unpack_block(const TernaryLinearArgs& a, std::int64_t row, std::int64_t block,
                         std::uint8_t* to) noexcept {
  __m256i v[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    v[i] = load(a.weights + std::min(row + i, a.rows - 1) * a.row_bytes + 32 * block);
  transpose_dwords(v);
  const __m256i two_bits = _mm256_set1_epi8(3);
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j, to += kStepBytes) {
    const auto put = [&](int plane, __m256i codes) {
      store_codes(to + 16 * kStepBytes * plane, codes & two_bits);
    };
    put(0, _mm256_srli_epi16(v[j], 6)), put(1, _mm256_srli_epi16(v[j], 4));
    put(2, _mm256_srli_epi16(v[j], 2)), put(3, v[j]);
  }
}

// Activation 64 * plane + 32 * half + p of a pair is of step 16 * plane + 8 * half + p / 4. The
// second half of the last pair may have no weights: codes 0 count nothing.
inline void unpack_pair(const TernaryLinearArgs& a, std::int64_t first, std::int64_t rows,
                        std::int64_t pair, std::uint8_t* codes) noexcept {
  for (std::int64_t row = 0; row < rows; row += 8)
    for (std::int64_t half = 0; half < 2; ++half) {
      std::uint8_t* const to = codes + panel_at(row, 8 * half, kPanelSteps);
      if (2 * pair + half < a.blocks) {
        unpack_block(a, first + row, 2 * pair + half, to);
        continue;
      }
      for (std::int64_t i = 0; i < 32; ++i)
        store_codes(to + kStepBytes * (i / 8 * 16 + i % 8), _mm256_setzero_si256());
    }
}

inline void store_sums(const TernaryLinearArgs& a, std::int64_t first, std::int64_t rows,
                       std::int64_t token, const std::int32_t* sums) noexcept {
  const __m256i over = _mm256_set1_epi32(a.activation_sum[token]);
  const __m256 scale = _mm256_set1_ps(a.token_scale[token]);
  float* const out = a.out + token * a.out_stride + first;
  for (std::int64_t row = 0; row < rows; row += 8) {
    const __m256i sum = _mm256_sub_epi32(load(sums + row), over);
    const __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale);
    if (rows - row >= 8) {
      _mm256_storeu_ps(out + row, y);
      continue;
    }
    float results[8];
    _mm256_storeu_ps(results, y);
    for (std::int64_t i = 0; i < rows - row; ++i) out[row + i] = results[i];
  }
}

// Rows [first, first + rows) of a block of tokens. While a pair is multiplied the next one's lines
// come, of these rows or of the next: the machine itself does not follow 64 streams.
void panel_rows(const TernaryLinearArgs& a, std::int64_t first, std::int64_t rows,
                std::int64_t token, std::int64_t tokens) noexcept {
  alignas(64) std::uint8_t codes[kPanelBytes];
  alignas(64) std::int32_t sums[kPanelTokens * kPanelRows];
  const std::int64_t pairs = (a.blocks + 1) / 2, stride = a.activation_stride;
  const std::int8_t* const q = a.activations + token * stride;
  const std::uint8_t* const w = a.weights + first * a.row_bytes;
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    unpack_pair(a, first, (rows + kRegisterRows - 1) / kRegisterRows * kRegisterRows, pair, codes);
    const std::uint8_t* const next =
        pair + 1 < pairs ? w + 64 * (pair + 1) : w + kPanelRows * a.row_bytes;
    const auto fetch = [&](std::int64_t t, std::int64_t end) {
      for (std::int64_t i = kPanelRows * t / tokens; i < kPanelRows * end / tokens; ++i)
        _mm_prefetch(next + i * a.row_bytes, _MM_HINT_T0);
    };
    multiply<Dot>({codes, rows, 1, kPanelSteps, q + 256 * pair, 0, stride, tokens, sums, pair > 0},
                  fetch);
  }
  for (std::int64_t t = 0; t < tokens; ++t)
    store_sums(a, first, rows, token + t, sums + kPanelRows * t);
}

void many_tokens(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t token = 0; token < a.tokens; token += kPanelTokens)
    for (std::int64_t first = 0; first < a.rows; first += kPanelRows)
      panel_rows(a, first, std::min(kPanelRows, a.rows - first), token,
                 std::min(kPanelTokens, a.tokens - token));
}

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1)
    a.fetch.second_cache ? gemv<true>(a) : gemv<false>(a);
  else if (a.tokens < kManyTokens)
    gemm(a, kGemmTile);
  else
    many_tokens(a);
}

}  // namespace bitnet::cpu::avx2
