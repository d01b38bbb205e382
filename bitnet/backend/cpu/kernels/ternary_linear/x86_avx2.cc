// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with vpmaddubsw. A pair of products is at most 2 * 2 * 128 = 512, a block
// adds four pairs to a 16-bit sum: after 15 blocks, 30720, the sums are widened to 32 bits.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/x86_tiles256.h"

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

inline Lanes32 gemv_row(const TernaryLinearArgs& a, const std::uint8_t* w) noexcept {
  Lanes16 part{};
  Lanes32 sum{};
  const auto step = [&](std::int64_t b, const std::int8_t* x) {
    _mm_prefetch(w + 32 * b + kPrefetchBytes, _MM_HINT_NTA);
    part += products(codes_of(w + 32 * b), x);
  };
  for_blocks(a.blocks, a.activations, step, [&] { sum += wide(part), part = Lanes16{}; });
  return sum;
}

// One token: row after row, so that weights are read once and in order.
void gemv(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.rows; first += kTileRows) {
    const RowTile tile = row_tile(a, first);
    const Sums<Lanes32> sums{gemv_row(a, tile.w0), gemv_row(a, tile.w1), gemv_row(a, tile.w2),
                             gemv_row(a, tile.w3)};
    store(a, tile, 0, totals(sums));
  }
}

// Several tokens.
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  const std::int64_t stride = a.activation_stride;
  const std::int64_t next_tile = kTileRows * a.row_bytes;
  Sums<Lanes16> part0, part1;
  Sums<Lanes32> sum0, sum1;
  const auto row = [&](const std::uint8_t* w, const std::int8_t* x, Lanes16& p0, Lanes16& p1) {
    _mm_prefetch(w + next_tile, _MM_HINT_T0);
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

// 8 sums of 16 registers at most.
constexpr GemmTileFn* kGemmTile[] = {gemm_tile<1>, gemm_tile<2>};

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1)
    gemv(a);
  else
    gemm(a, kGemmTile);
}

}  // namespace bitnet::cpu::avx2
