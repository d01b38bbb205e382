// SPDX-License-Identifier: MIT OR Apache-2.0
// The matrix products that attention and its gradient are made of, over a vector type (simd/):
// acc[r][n] = fma(c[r][i], x[i][n], acc[r][n]) over i, for tiles of a few rows and a few vectors of
// columns held in registers.
#pragma once

#include <cstddef>

#include "bitnet/backend/cpu/kernels/flash_attention/operands.h"

namespace bitnet::cpu {
namespace {

/// Rows and vectors of a tile: 16 accumulators where there are 32 registers (8 at least keep two
/// FMA units busy), 4 of two or four registers each where there are 8.
template <class V>
constexpr int kTileRows = V::kRegisters >= 32 ? 8 : 4;

template <class V>
constexpr int tile_vectors(int rows, int most) {
  const int accumulators = V::kRegisters >= 32 ? 16 : 4;
  const int vectors = rows >= accumulators ? 1 : accumulators / rows;
  return vectors < most ? vectors : most;
}

template <class V, int kRows, int kVectors>
struct Tile {
  V v[static_cast<std::size_t>(kRows)][static_cast<std::size_t>(kVectors)];
};

}  // namespace

/// Calls body.template operator()<rows>(r) for tiles that together cover rows [first, end); with
/// `first` a multiple of 8 no tile crosses one.
template <int kMost, class Body>
static inline void for_row_tiles(std::int64_t first, std::int64_t end, const Body& body) {
  std::int64_t r = first;
  if constexpr (kMost >= 8)
    for (; r + 8 <= end; r += 8) body.template operator()<8>(r);
  if constexpr (kMost >= 4)
    for (; r + 4 <= end; r += 4) body.template operator()<4>(r);
  for (; r + 2 <= end; r += 2) body.template operator()<2>(r);
  for (; r < end; ++r) body.template operator()<1>(r);
}

static inline void fill(float* p, std::int64_t count, float value) {
  for (std::int64_t i = 0; i < count; ++i) p[i] = value;
}

/// Steps [begin, end): c of row r and step i is c[r * kRow + i * kStep].
/// fetch(i) is called in each.
template <class V, int kRows, int kVectors, int kRow, int kStep, class Fetch>
static inline void steps(Tile<V, kRows, kVectors>& acc, const float* c, const float* x,
                         std::int64_t x_stride, std::int64_t begin, std::int64_t end,
                         const Fetch& fetch) {
  for (std::int64_t i = begin; i < end; ++i) {
    V column[static_cast<std::size_t>(kVectors)];
    for (int n = 0; n < kVectors; ++n) column[n] = V::load(x + i * x_stride + n * 16);
    fetch(i);
    for (int r = 0; r < kRows; ++r) {
      const V weight = V::set1(c[r * kRow + i * kStep]);
      for (int n = 0; n < kVectors; ++n) acc.v[r][n] = V::fma(weight, column[n], acc.v[r][n]);
    }
  }
}

/// out[r][n] = (chain over i < length of c[r][i] * x[i][n]) * scale for rows [row, row + kRows) and
/// vectors n of [first, end). c is interleaved, x [length][64], out [..][64].
template <class V, int kRows, int kVectors>
static inline void product_vectors(const float* c, const float* x, std::int64_t length, float scale,
                                   float* out) {
  Tile<V, kRows, kVectors> acc;
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n) acc.v[r][n] = V::zero();
  steps<V, kRows, kVectors, 1, kFlashTile>(acc, c, x, kFlashKeys, 0, length, Nothing{});
  const V factor = V::set1(scale);
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n) (acc.v[r][n] * factor).store(out + r * kFlashKeys + n * 16);
}

/// out[r][j] = (chain over i of c[r][i] * x[i][j]) * scale for rows [first, end) and at least those
/// keys j of the block that row r sees. c is interleaved, x [length][64], out [..][64].
template <class V>
static inline void product(std::int64_t first, std::int64_t end, const float* c, const float* x,
                           std::int64_t length, float scale, const FlashSpan* seen, float* out) {
  for_row_tiles<kTileRows<V>>(first, end, [&]<int kRows>(std::int64_t row) {
    constexpr int kVectors = tile_vectors<V>(kRows, 4);
    std::int64_t low = kFlashKeys, high = 0;
    for (std::int64_t r = row; r < row + kRows; ++r) {
      low = seen[r].begin < low ? seen[r].begin : low;
      high = seen[r].end > high ? seen[r].end : high;
    }
    const float* coefficients = c + row / kFlashTile * kFlashTile * length + row % kFlashTile;
    float* to = out + row * kFlashKeys;
    std::int64_t n = low / 16 * 16;
    for (; n + 16 * kVectors <= flash_round_up(high, 16); n += 16 * kVectors)
      product_vectors<V, kRows, kVectors>(coefficients, x + n, length, scale, to + n);
    for (; n < high; n += 16)
      product_vectors<V, kRows, 1>(coefficients, x + n, length, scale, to + n);
  });
}

/// The tile's rows take the steps of their spans only. A step that not all of them take asks each;
/// with causal attention those are few.
template <class V, int kRows, int kVectors, int kRow, int kStep, bool kRescale, bool kFetch>
static inline void add_tile(const float* c, const float* x, std::int64_t x_stride,
                            const FlashSpan* seen, const float* rescale, float* sums,
                            std::int64_t sum_stride) {
  Tile<V, kRows, kVectors> acc;
  FlashSpan all = seen[0], any = seen[0];
  for (int r = 0; r < kRows; ++r) {
    all.begin = seen[r].begin > all.begin ? seen[r].begin : all.begin;
    all.end = seen[r].end < all.end ? seen[r].end : all.end;
    any.begin = seen[r].begin < any.begin ? seen[r].begin : any.begin;
    any.end = seen[r].end > any.end ? seen[r].end : any.end;
    for (int n = 0; n < kVectors; ++n) {
      acc.v[r][n] = V::load(sums + r * sum_stride + n * 16);
      if constexpr (kRescale) acc.v[r][n] = acc.v[r][n] * V::set1(rescale[r]);
    }
  }
  const auto some = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (int r = 0; r < kRows; ++r) {
        if (i < seen[r].begin || i >= seen[r].end) continue;
        const V weight = V::set1(c[r * kRow + i * kStep]);
        for (int n = 0; n < kVectors; ++n)
          acc.v[r][n] = V::fma(weight, V::load(x + i * x_stride + n * 16), acc.v[r][n]);
      }
  };
  if (all.begin < all.end) {
    some(any.begin, all.begin);
    steps<V, kRows, kVectors, kRow, kStep>(acc, c, x, x_stride, all.begin, all.end,
                                           [&](std::int64_t i) {
                                             if constexpr (kFetch)
                                               for (int n = 0; n < kVectors; ++n)
                                                 prefetch(x, (i + kFlashKeys) * x_stride + n * 16);
                                           });
    some(all.end, any.end);
  } else {
    some(any.begin, any.end);
  }
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n) acc.v[r][n].store(sums + r * sum_stride + n * 16);
}

/// sums[r][n] (times rescale[r] with kRescale) continues as a chain over the steps i of seen[r] of
/// c[r * kRow + i * kStep] * x[i][n], for rows [first, end) and n < columns, a multiple of 16.
/// kFetch: fetches the block of rows that follows x.
template <class V, int kRow, int kStep, bool kRescale, bool kFetch>
static inline void add_product(std::int64_t first, std::int64_t end, const float* c, const float* x,
                               std::int64_t x_stride, std::int64_t columns, const FlashSpan* seen,
                               const float* rescale, float* sums) {
  // From memory x comes fastest in its order, many columns at a time.
  for_row_tiles<kFetch ? 2 : kTileRows<V>>(first, end, [&]<int kRows>(std::int64_t row) {
    constexpr int kVectors = tile_vectors<V>(kRows, 8);
    const float* weights = c + row * kRow;
    const float* factors = kRescale ? rescale + row : nullptr;
    float* to = sums + row * columns;
    std::int64_t n = 0;
    for (; n + 16 * kVectors <= columns; n += 16 * kVectors)
      add_tile<V, kRows, kVectors, kRow, kStep, kRescale, kFetch>(
          weights, x + n, x_stride, seen + row, factors, to + n, columns);
    for (; n < columns; n += 16)
      add_tile<V, kRows, 1, kRow, kStep, kRescale, kFetch>(weights, x + n, x_stride, seen + row,
                                                           factors, to + n, columns);
  });
}

}  // namespace bitnet::cpu
