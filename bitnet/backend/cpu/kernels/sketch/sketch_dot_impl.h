// SPDX-License-Identifier: MIT OR Apache-2.0
// Products with sketches over a dot product (struct Dot of each ISA's file):
//   Dot::kBytes    of a register: kBytes / 4 rows, four columns each; Dot::Words: of 16 bits
//   Dot::Sum       kBytes / 4 int32; Dot::set(n), sum.store(p), Dot::twice(high, low): 128 high +
//   low Dot::step(sum, codes, four)  codes: unsigned bytes; four: signed bytes, the same for all
//   rows
// and F32x16 of simd/.
#pragma once

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

// One block of 32 columns: sums of q * v of the rows of a register. Codes are q + 32, which the
// starts take back.
template <class Dot>
static inline typename Dot::Sum sketch_block_sum(const std::uint8_t* block, const std::int8_t* high,
                                                 const std::int8_t* low, std::int32_t high_start,
                                                 std::int32_t low_start) {
  auto sum_high = Dot::set(high_start), sum_low = Dot::set(low_start);
  const auto column = [&]<int j>() {
    const auto codes = SketchPart<Dot>::template codes<j>(block);
    std::int32_t h, l;
    __builtin_memcpy(&h, high + 4 * j, 4);
    __builtin_memcpy(&l, low + 4 * j, 4);
    sum_high = Dot::step(sum_high, codes, h);
    sum_low = Dot::step(sum_low, codes, l);
  };
  column.template operator()<0>(), column.template operator()<1>();
  column.template operator()<2>(), column.template operator()<3>();
  column.template operator()<4>(), column.template operator()<5>();
  column.template operator()<6>(), column.template operator()<7>();
  return Dot::twice(sum_high, sum_low);
}

template <class V, class Dot>
static inline void sketch_dots(const SketchDotArgs& a) {
  using namespace sketch_tiles;
  // Past the caches but the first: 4 to 7 % faster than into all of them on a Zen 5 server.
  constexpr std::int64_t kPrefetchBytes = 6144;
  for (std::int64_t first = 0; first < a.rows; first += kRows) {
    const std::uint8_t* tile = a.sketch + first / kRows * a.pairs * kTileBytes;
    V sum = V::zero();
    for (std::int64_t p = 0; p < a.pairs; ++p, tile += kTileBytes) {
      for (int line = 0; line < kTileBytes / 64; ++line)
        __builtin_prefetch(tile + kPrefetchBytes + 64 * line, 0, 0);
      for (int b = 0; b < 2; ++b) {
        const std::int8_t* high = a.high + kPairColumns * p + kBlockColumns * b;
        const std::int8_t* low = a.low + kPairColumns * p + kBlockColumns * b;
        const std::int32_t* start = a.start + 2 * (2 * p + b);
        alignas(64) std::int32_t sums[kRows];
        for (int part = 0; part < 64 / Dot::kBytes; ++part)
          sketch_block_sum<Dot>(tile + 64 + kBlockBytes * b + Dot::kBytes * part, high, low,
                                start[0], start[1])
              .store(sums + Dot::kBytes / 4 * part);
        sum = V::fma(V::load_f16(tile + 32 * b), V::load_i32(sums), sum);
      }
    }
    const V result = sum * V::set1(a.scale);
    const std::int64_t left = a.rows - first;
    if (left >= kRows)
      result.store(a.out + first);
    else
      result.store_partial(a.out + first, static_cast<int>(left));
  }
}

}  // namespace bitnet::cpu
