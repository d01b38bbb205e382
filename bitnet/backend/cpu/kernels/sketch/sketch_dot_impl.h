// SPDX-License-Identifier: MIT OR Apache-2.0
// Products with sketches over a dot product (struct Dot of each ISA's file):
//   Dot::kBytes    of a register: kBytes / 4 rows, four columns each; Dot::Words: of 16 bits
//   Dot::Sum       kBytes / 4 int32; Dot::zero(), sum.store(p)
//   Dot::step(sum, codes, four)  codes: unsigned bytes; four: signed bytes, the same for all rows
//   Dot::add_eighth(sum, eight)  sum + eight / 8, exact
//   Dot::joined(high, low, start)  2 * (128 * high + low) + start
//   Dot::kLargeCodes  whether step() takes codes over 127
//   Dot::kTokens   for so many tokens there are registers for two Sums each
// and F32x16 of simd/.
#pragma once

#include <cstddef>
#include <utility>

#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/backend/cpu/simd/fetch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::cpu {

template <class Dot>
struct SketchPart {
  using Words = typename Dot::Words;
  static Words load(const std::uint8_t* p) {
    Words w;
    __builtin_memcpy(&w, p, sizeof w);
    return w;
  }
  // u of columns 4 j + i for even j, 8 u for odd ones. Shifts of 16-bit words move bits between
  // bytes, which masks drop.
  template <int j>
  static Words codes(const std::uint8_t* block) {
    const Words four = load(block + 64 * (j / 2)), all = load(block + 512 + 64 * (j / 8));
    constexpr int shift = sketch_tiles::fifth_bit(j % 8) - (j % 2 ? 3 : 4);
    Words fifth = all;
    if constexpr (shift > 0) fifth = all >> shift;
    if constexpr (shift < 0) fifth = all << -shift;
    Words kept, bit;
    __builtin_memset(&kept, j % 2 ? 0xf0 : 0x0f, sizeof kept);
    __builtin_memset(&bit, j % 2 ? 0x08 : 0x10, sizeof bit);
    return (four & kept) | (fifth & bit);
  }
};

// One block of 64 columns: sums[t][row] of (2 u - 31) * v of the rows of a register and T tokens,
// whose values and starts lie one behind the other; codes are made once for all of them. The starts
// take off 31. Of few tokens, what odd groups of columns add is summed apart as 8 u, which saves
// the shift of its codes.
template <class Dot, int T>
static inline void sketch_block_sums(const std::uint8_t* block, const std::int8_t* values,
                                     const std::int32_t* start, std::int32_t* sums) {
  using namespace sketch_tiles;
  constexpr bool apart = Dot::kLargeCodes && 2 * T <= Dot::kTokens;
  typename Dot::Sum high[std::size_t{T}][2], low[std::size_t{T}][2];
  for (int t = 0; t < T; ++t) high[t][0] = high[t][1] = low[t][0] = low[t][1] = Dot::zero();
  const auto column = [&]<int j>() {
    auto codes = SketchPart<Dot>::template codes<j>(block);
    if constexpr (j % 2 == 1 && !apart) codes = codes >> 3;  // bits 2:0 of each byte are 0
    constexpr int to = apart ? j % 2 : 0;
    for (int t = 0; t < T; ++t) {
      std::int32_t h, l;
      __builtin_memcpy(&h, values + 2 * kBlockColumns * t + 4 * j, 4);
      __builtin_memcpy(&l, values + 2 * kBlockColumns * t + kBlockColumns + 4 * j, 4);
      high[t][to] = Dot::step(high[t][to], codes, h);
      low[t][to] = Dot::step(low[t][to], codes, l);
    }
  };
  [&]<int... j>(std::integer_sequence<int, j...>) { (column.template operator()<j>(), ...); }
  (std::make_integer_sequence<int, int{kBlockColumns} / 4>());
  for (int t = 0; t < T; ++t) {
    if constexpr (apart) {
      high[t][0] = Dot::add_eighth(high[t][0], high[t][1]);
      low[t][0] = Dot::add_eighth(low[t][0], low[t][1]);
    }
    Dot::joined(high[t][0], low[t][0], start[t]).store(sums + kRows * t);
  }
}

// The same of T tokens of which the registers hold Dot::kTokens at a time.
template <class Dot, int T>
static inline void sketch_block_tokens(const std::uint8_t* block, const std::int8_t* values,
                                       const std::int32_t* start, std::int32_t* sums) {
  constexpr int now = T < Dot::kTokens ? T : Dot::kTokens;
  sketch_block_sums<Dot, now>(block, values, start, sums);
  if constexpr (now < T)
    sketch_block_tokens<Dot, T - now>(block, values + 2 * sketch_tiles::kBlockColumns * now,
                                      start + now, sums + sketch_tiles::kRows * now);
}

template <class V, class Dot, int T>
static inline void sketch_dots_of(const SketchDotArgs& a) {
  using namespace sketch_tiles;
  for (std::int64_t first = 0; first < a.rows; first += kRows) {
    const std::uint8_t* tile = a.sketch + first / kRows * a.pairs * kTileBytes;
    const std::int8_t* values = a.values;
    const std::int32_t* start = a.start;
    V sum[std::size_t{T}];
    for (int t = 0; t < T; ++t) sum[t] = V::zero();
    for (std::int64_t p = 0; p < a.pairs; ++p, tile += kTileBytes) {
      const std::uint8_t* ahead = tile + a.fetch.bytes;
      if (a.fetch.second_cache)
        for (int line = 0; line < kTileBytes / 64; ++line) fetch_ahead<true>(ahead + 64 * line);
      else
        for (int line = 0; line < kTileBytes / 64; ++line) fetch_ahead<false>(ahead + 64 * line);
      for (int b = 0; b < 2; ++b, values += 2 * kBlockColumns * T, start += T) {
        alignas(64) std::int32_t sums[std::size_t{kRows * T}];
        for (int part = 0; part < 64 / Dot::kBytes; ++part)
          sketch_block_tokens<Dot, T>(tile + 64 + kBlockBytes * b + Dot::kBytes * part, values,
                                      start, sums + Dot::kBytes / 4 * part);
        const V d = V::load_f16(tile + 32 * b);
        for (int t = 0; t < T; ++t) sum[t] = V::fma(d, V::load_i32(sums + kRows * t), sum[t]);
      }
    }
    const std::int64_t left = a.rows - first;
    for (int t = 0; t < T; ++t) {
      const V result = sum[t] * V::set1(a.scale[t]);
      float* to = a.out + t * a.out_stride + first;
      if (left >= kRows)
        result.store(to);
      else
        result.store_partial(to, static_cast<int>(left));
    }
  }
}

template <class V, class Dot>
static inline void sketch_dots(const SketchDotArgs& a) {
  switch (a.tokens) {
    case 1:
      return sketch_dots_of<V, Dot, 1>(a);
    case 2:
      return sketch_dots_of<V, Dot, 2>(a);
    case 3:
      return sketch_dots_of<V, Dot, 3>(a);
    case 4:
      return sketch_dots_of<V, Dot, 4>(a);
    case 5:
      return sketch_dots_of<V, Dot, 5>(a);
    case 6:
      return sketch_dots_of<V, Dot, 6>(a);
    case 7:
      return sketch_dots_of<V, Dot, 7>(a);
    case 8:
      return sketch_dots_of<V, Dot, 8>(a);
    default:
      return;  // refused by ops/sketch.cc
  }
}

}  // namespace bitnet::cpu
