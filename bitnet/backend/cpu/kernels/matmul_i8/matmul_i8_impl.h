// SPDX-License-Identifier: MIT OR Apache-2.0
// Packing and tiles of int8 matrix products over a dot product (struct Dot of each ISA's file):
//   Dot::Element   of a panel; Dot::kGroup terms of the depth lie side by side
//   Dot::Moved     16 lanes of 32 bits (simd/), for moving bytes
//   Dot::kOffset   added to elements of a, so that they are unsigned: the tile's sums begin with
//                  -kOffset * sum b
//   Dot::Sum       kLanes int32; Dot::zero(), Dot::load(p), sum.store(p), a + b
//   Dot::step(sum, a, b)  a: the group of one row; b: those of kLanes columns
#pragma once

#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8.h"

namespace bitnet::cpu {

typedef std::int8_t Bytes16 __attribute__((vector_size(16)));

// Four rows of 16 bytes, interleaved: 16 groups of four.
static inline void interleave4(const std::int8_t* from, std::int64_t stride, std::int8_t* to) {
  Bytes16 r[4];
  for (int i = 0; i < 4; ++i) __builtin_memcpy(&r[i], from + i * stride, 16);
  const auto low = [](Bytes16 x, Bytes16 y) {
    return __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  };
  const auto high = [](Bytes16 x, Bytes16 y) {
    return __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                   31);
  };
  const auto low_pairs = [](Bytes16 x, Bytes16 y) {
    return __builtin_shufflevector(x, y, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
  };
  const auto high_pairs = [](Bytes16 x, Bytes16 y) {
    return __builtin_shufflevector(x, y, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30,
                                   31);
  };
  const Bytes16 a = low(r[0], r[1]), b = low(r[2], r[3]), c = high(r[0], r[1]),
                d = high(r[2], r[3]);
  const Bytes16 out[4] = {low_pairs(a, b), high_pairs(a, b), low_pairs(c, d), high_pairs(c, d)};
  __builtin_memcpy(to, out, sizeof out);
}

// 16 rows of 64 bytes to 16 groups of 16 rows: four bytes move as one lane of V.
template <class V>
static inline void turn_groups(const std::int8_t* from, std::int64_t stride, std::int8_t* to,
                               std::int64_t to_stride) {
  V rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) rows[i] = V::load(from + i * stride);
  V::transpose(rows);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const V group = rows[i];
    __builtin_memcpy(to + i * to_stride, &group, sizeof group);
  }
}

// Groups of four bytes. Where four depths of 16 elements lie ready, or four depths of one element
// side by side, whole groups are moved.
template <class V>
static inline void pack_bytes(const PackI8Run& r, std::int8_t* panel) {
  const std::int64_t groups = (r.depth + 3) / 4;
  std::int64_t turned = 0;  // groups that are done
  if (r.depth_step == 1 && r.count == r.width && r.width % 16 == 0)
    for (; 4 * turned + 64 <= r.depth; turned += 16)
      for (std::int64_t i = 0; i < r.width; i += 16)
        turn_groups<V>(r.from + i * r.step + 4 * turned, r.step, panel + (turned * r.width + i) * 4,
                       4 * r.width);
  for (std::int64_t g = turned; g < groups; ++g) {
    const std::int64_t deep = r.depth - 4 * g < 4 ? r.depth - 4 * g : 4;
    std::int8_t* to = panel + g * r.width * 4;
    const std::int8_t* from = r.from + 4 * g * r.depth_step;
    std::int64_t i = 0;
    if (deep == 4 && r.step == 1)
      for (; i + 16 <= r.count; i += 16) interleave4(from + i, r.depth_step, to + 4 * i);
    if (deep == 4 && r.depth_step == 1)
      for (; i < r.count; ++i) __builtin_memcpy(to + 4 * i, from + i * r.step, 4);
    for (; i < r.width; ++i)
      for (std::int64_t d = 0; d < 4; ++d)
        to[4 * i + d] =
            i < r.count && d < deep ? from[i * r.step + d * r.depth_step] : std::int8_t{0};
  }
}

template <class Element, int kGroup>
static inline void pack_plain(const PackI8Run& r, Element* panel) {
  for (std::int64_t k = 0; k < r.depth; k += kGroup)
    for (std::int64_t i = 0; i < r.width; ++i)
      for (std::int64_t d = 0; d < kGroup; ++d)
        *panel++ = i < r.count && k + d < r.depth
                       ? Element{r.from[i * r.step + (k + d) * r.depth_step]}
                       : Element{0};
}

template <class Dot>
static inline void pack_groups(const PackI8Run& r) {
  if constexpr (sizeof(typename Dot::Element) == 1)
    pack_bytes<typename Dot::Moved>(r, static_cast<std::int8_t*>(r.panel));
  else
    pack_plain<typename Dot::Element, Dot::kGroup>(r, static_cast<typename Dot::Element*>(r.panel));
}

template <class Dot>
static inline void pack_a_run(const PackI8Run& r) {
  pack_groups<Dot>(r);
  if constexpr (Dot::kOffset != 0) {
    // Bytes plus 128: the top bit turned.
    auto* bytes = static_cast<unsigned char*>(r.panel);
    const std::int64_t count = (r.depth + Dot::kGroup - 1) / Dot::kGroup * Dot::kGroup * r.width;
    for (std::int64_t i = 0; i < count; ++i) bytes[i] ^= 0x80;
  }
}

template <class Dot>
static inline void pack_b_run(const PackI8Run& r) {
  pack_groups<Dot>(r);
  for (std::int64_t i = 0; i < r.width; ++i) r.correction[i] = 0;
  if constexpr (Dot::kOffset != 0) {
    const auto* bytes = static_cast<const std::int8_t*>(r.panel);
    const std::int64_t groups = (r.depth + Dot::kGroup - 1) / Dot::kGroup;
    typename Dot::Element ones[static_cast<unsigned>(Dot::kGroup)];
    for (auto& one : ones) one = 1;
    for (std::int64_t i = 0; i < r.width; i += Dot::kLanes) {
      typename Dot::Sum sum = Dot::zero();
      for (std::int64_t g = 0; g < groups; ++g)
        sum = Dot::step(sum, ones, bytes + (g * r.width + i) * Dot::kGroup);
      sum.store(r.correction + i);
    }
    for (std::int64_t i = 0; i < r.width; ++i) r.correction[i] *= -Dot::kOffset;
  }
}

template <class Dot, unsigned kRows, unsigned kVectors>
static inline void tile_i8_run(const TileI8Run& r) {
  using Element = typename Dot::Element;
  constexpr unsigned kWidth = kVectors * Dot::kLanes;
  const auto* a = static_cast<const Element*>(r.a);
  const auto* b = static_cast<const Element*>(r.b);
  typename Dot::Sum sum[kRows][kVectors];
#pragma GCC unroll 16
  for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (unsigned v = 0; v < kVectors; ++v) sum[i][v] = Dot::load(r.correction + v * Dot::kLanes);
  for (std::int64_t k = 0; k < r.depth; k += Dot::kGroup) {
#pragma GCC unroll 16
    for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (unsigned v = 0; v < kVectors; ++v)
        sum[i][v] = Dot::step(sum[i][v], a + i * Dot::kGroup, b + v * Dot::kLanes * Dot::kGroup);
    a += kRows * Dot::kGroup;
    b += kWidth * Dot::kGroup;
  }
#pragma GCC unroll 16
  for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (unsigned v = 0; v < kVectors; ++v) {
      std::int32_t* out = r.out + i * r.out_stride + v * Dot::kLanes;
      (r.first ? sum[i][v] : Dot::load(out) + sum[i][v]).store(out);
    }
}

template <class Dot, unsigned kRows, unsigned kVectors>
static inline MatmulI8Kernels matmul_i8_kernels_over() {
  return {kRows,
          kVectors * Dot::kLanes,
          Dot::kGroup,
          sizeof(typename Dot::Element),
          [](const PackI8Run& r) noexcept { pack_a_run<Dot>(r); },
          [](const PackI8Run& r) noexcept { pack_b_run<Dot>(r); },
          [](const TileI8Run& r) noexcept { tile_i8_run<Dot, kRows, kVectors>(r); }};
}

}  // namespace bitnet::cpu
