// SPDX-License-Identifier: MIT OR Apache-2.0
// Products with sketches over a dot product (struct Dot of each ISA's file):
//   Dot::kBytes    of a register: kBytes / 4 rows, four columns each; Dot::Words: of 16 bits
//   Dot::Sum       kBytes / 4 int32; Dot::set(n), sum.store(p), Dot::twice(high, low): 128 high +
//   low Dot::step(sum, codes, four)  codes: unsigned bytes; four: signed bytes, the same for all
//   rows; Dot::kTokens: for so many tokens there are registers for two Sums
// and F32x16 of simd/.
#pragma once

#include <cstddef>

#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
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
  // The codes of columns 4 j + i. Shifts of 16-bit words move bits between bytes, which masks drop.
  template <int j>
  static Words codes(const std::uint8_t* block) {
    const Words low = load(block + 64 * (j / 2)), high = load(block + 256 + 64 * (j / 4));
    constexpr int k = j % 4;
    Words upper = high;
    if constexpr (k < 2) upper = high << (4 - 2 * k);
    if constexpr (k > 2) upper = high >> (2 * k - 4);
    Words lower = low;
    if constexpr (j % 2 == 1) lower = low >> 4;
    Words nibbles, pairs;
    __builtin_memset(&nibbles, 0x0f, sizeof nibbles);
    __builtin_memset(&pairs, 0x30, sizeof pairs);
    return (lower & nibbles) | (upper & pairs);
  }
};

// One block of 32 columns: sums[t][row] of q * v of the rows of a register and T tokens, whose
// values and starts lie one behind the other; codes are made once for all of them. Codes are
// q + 32, which the starts take back.
template <class Dot, int T>
static inline void sketch_block_sums(const std::uint8_t* block, const std::int8_t* values,
                                     const std::int32_t* start, std::int32_t* sums) {
  using namespace sketch_tiles;
  typename Dot::Sum high[std::size_t{T}], low[std::size_t{T}];
  for (int t = 0; t < T; ++t) {
    high[t] = Dot::set(start[2 * t]);
    low[t] = Dot::set(start[2 * t + 1]);
  }
  const auto column = [&]<int j>() {
    const auto codes = SketchPart<Dot>::template codes<j>(block);
    for (int t = 0; t < T; ++t) {
      std::int32_t h, l;
      __builtin_memcpy(&h, values + 2 * kBlockColumns * t + 4 * j, 4);
      __builtin_memcpy(&l, values + 2 * kBlockColumns * t + kBlockColumns + 4 * j, 4);
      high[t] = Dot::step(high[t], codes, h);
      low[t] = Dot::step(low[t], codes, l);
    }
  };
  column.template operator()<0>(), column.template operator()<1>();
  column.template operator()<2>(), column.template operator()<3>();
  column.template operator()<4>(), column.template operator()<5>();
  column.template operator()<6>(), column.template operator()<7>();
  for (int t = 0; t < T; ++t) Dot::twice(high[t], low[t]).store(sums + kRows * t);
}

// The same of T tokens of which the registers hold Dot::kTokens at a time.
template <class Dot, int T>
static inline void sketch_block_tokens(const std::uint8_t* block, const std::int8_t* values,
                                       const std::int32_t* start, std::int32_t* sums) {
  constexpr int now = T < Dot::kTokens ? T : Dot::kTokens;
  sketch_block_sums<Dot, now>(block, values, start, sums);
  if constexpr (now < T)
    sketch_block_tokens<Dot, T - now>(block, values + 2 * sketch_tiles::kBlockColumns * now,
                                      start + 2 * now, sums + sketch_tiles::kRows * now);
}

template <class V, class Dot, int T>
static inline void sketch_dots_of(const SketchDotArgs& a) {
  using namespace sketch_tiles;
  // Past the caches but the first: 4 to 7 % faster than into all of them on a Zen 5 server.
  constexpr std::int64_t kPrefetchBytes = 6144;
  for (std::int64_t first = 0; first < a.rows; first += kRows) {
    const std::uint8_t* tile = a.sketch + first / kRows * a.pairs * kTileBytes;
    const std::int8_t* values = a.values;
    const std::int32_t* start = a.start;
    V sum[std::size_t{T}];
    for (int t = 0; t < T; ++t) sum[t] = V::zero();
    for (std::int64_t p = 0; p < a.pairs; ++p, tile += kTileBytes) {
      for (int line = 0; line < kTileBytes / 64; ++line)
        __builtin_prefetch(tile + kPrefetchBytes + 64 * line, 0, 0);
      for (int b = 0; b < 2; ++b, values += 2 * kBlockColumns * T, start += 2 * T) {
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
