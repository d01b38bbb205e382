// SPDX-License-Identifier: MIT OR Apache-2.0
// What the last bits of a sketch add to products, over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::cpu {

template <class V>
static inline void sketch_refine(const SketchRefineArgs& a) {
  using namespace sketch_tiles;
  const std::int64_t blocks = 2 * a.pairs, row_bytes = blocks * (kLastBitsBytes + 2);
  const auto row_of = [&](std::int64_t i) { return a.last + a.places[i].row * row_bytes; };
  for (std::int64_t i = 0; i < a.count; ++i) {
    // Rows lie anywhere: without this the way of their first bytes is most of the time.
    if (i + 4 < a.count)
      for (std::int64_t at = 0; at < row_bytes; at += 64) __builtin_prefetch(row_of(i + 4) + at);
    const std::uint8_t* bits = row_of(i);
    const std::uint8_t* halves = bits + blocks * kLastBitsBytes;
    const std::int64_t token = a.places[i].token;
    const float* v = a.values + token * blocks * kBlockColumns;
    V sum = V::zero();
    for (std::int64_t b = 0; b < blocks; ++b, v += kBlockColumns) {
      V parts[4];
      for (int j = 0; j < 4; ++j) {
        std::uint16_t sixteen;
        __builtin_memcpy(&sixteen, bits + kLastBitsBytes * b + 2 * j, sizeof sixteen);
        const V x = V::load(v + 16 * j);
        parts[j] = V::select(V::Mask::of_bits(sixteen), x, -x);
      }
      sum = V::fma(V::set1_f16(halves + 2 * b), (parts[0] + parts[1]) + (parts[2] + parts[3]), sum);
    }
    a.out[token * a.out_stride + a.places[i].row] += sum.sum() * (0.5f * a.scale[token]);
  }
}

}  // namespace bitnet::cpu
