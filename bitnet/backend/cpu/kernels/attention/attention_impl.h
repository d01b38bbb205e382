// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of attention over a vector type (simd/). Both matrix products are the same tile:
// acc[r][n] = fma(a[r][i], b[i][n], acc[r][n]) over i, a few query rows times a few vectors of keys
// or of value columns, at least 8 independent chains.
#pragma once

#include <cstddef>

#include "bitnet/backend/cpu/kernels/attention/attention.h"
#include "bitnet/backend/cpu/simd/exp.h"

namespace bitnet::cpu {

/// Query rows [0, count) of one kv head and the scratch of their block.
struct AttentionBlock {
  const float* q[kAttentionRows];
  float* out[kAttentionRows];
  std::int64_t seen[kAttentionRows];  // positions that the row sees: p + 1, never decreasing
  const float* keys;                  // [blocks][dim][16]
  const float* values;                // [positions][dim]
  float* scores;                      // [kAttentionRows][score_stride]
  std::int64_t score_stride;
  float* sums;  // [kAttentionRows][sum_stride]: unfinished outputs
  std::int64_t sum_stride;
  std::int64_t dim;
  float scale;
  int count;
};

/// Vectors beside kRows rows in a tile. 16 (8 at least) accumulators where there are 32 registers,
/// 4 of two or four registers each where there are 8.
template <class V>
constexpr int tile_vectors(int rows) {
  const int accumulators = V::kRegisters >= 32 ? 16 : 4;
  return rows >= accumulators ? 1 : accumulators / rows;
}

/// Positions whose values are used by all rows and columns before the next are touched, so that
/// they come from memory once and in order (64 * 128 floats are 32 KB).
constexpr std::int64_t kValuePositions = 64;

template <class V>
constexpr int kTileRows = V::kRegisters >= 32 ? 8 : 4;

/// Calls body.template operator()<rows>(first) for tiles that together cover the block's rows.
template <class V, class Body>
static inline void for_row_tiles(int count, const Body& body) {
  int r = 0;
  if constexpr (kTileRows<V> >= 8)
    for (; r + 8 <= count; r += 8) body.template operator()<8>(r);
  for (; r + 4 <= count; r += 4) body.template operator()<4>(r);
  for (; r + 2 <= count; r += 2) body.template operator()<2>(r);
  for (; r < count; ++r) body.template operator()<1>(r);
}

/// Fetches p[ahead] into the cache; beyond the data it does no harm.
static inline void prefetch(const float* p, std::int64_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) +
                                                   static_cast<std::uintptr_t>(ahead * 4)));
}

/// Scores of kRows rows with 16 * kVectors keys from key block `block` on. Keys that a row does not
/// see get a score too, which is overwritten later.
template <class V, int kRows, int kVectors, bool kPrefetch>
static inline void score_tile(const AttentionBlock& b, int row, std::int64_t block) {
  constexpr std::size_t kR = kRows, kN = kVectors;  // -Wsign-conversion minds int in array sizes
  const std::int64_t block_floats = b.dim * 16;
  const float* keys = b.keys + block * block_floats;
  const float* q[kR];
  for (int r = 0; r < kRows; ++r) q[r] = b.q[row + r];
  V acc[kR][kN];
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n) acc[r][n] = V::zero();
  for (std::int64_t d = 0; d < b.dim; ++d) {
    V key[kN];
    for (int n = 0; n < kVectors; ++n) {
      key[n] = V::load(keys + n * block_floats + d * 16);
      if constexpr (kPrefetch) prefetch(keys, kVectors * block_floats + (d * kVectors + n) * 16);
    }
    for (int r = 0; r < kRows; ++r) {
      const V query = V::set1(q[r][d]);
      for (int n = 0; n < kVectors; ++n) acc[r][n] = V::fma(query, key[n], acc[r][n]);
    }
  }
  const V scale = V::set1(b.scale);
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n)
      (acc[r][n] * scale).store(b.scores + (row + r) * b.score_stride + (block + n) * 16);
}

/// Scores of all rows. Outer loop over the keys, so that each comes from memory once.
template <class V, bool kPrefetch>
static inline void score(const AttentionBlock& b) {
  constexpr int kStep = tile_vectors<V>(1);
  const std::int64_t blocks = (b.seen[b.count - 1] + 15) / 16;
  for (std::int64_t first = 0; first < blocks; first += kStep) {
    const std::int64_t end = first + kStep < blocks ? first + kStep : blocks;
    for_row_tiles<V>(b.count, [&]<int kRows>(int row) {
      constexpr int kVectors = tile_vectors<V>(kRows);
      std::int64_t block = first;
      for (; block + kVectors <= end; block += kVectors)
        score_tile<V, kRows, kVectors, kPrefetch>(b, row, block);
      for (; block < end; ++block) score_tile<V, kRows, 1, kPrefetch>(b, row, block);
    });
  }
}

/// s[0, n) becomes e = exp(s - max), zeros behind it to a whole vector; returns z = sum16(e).
template <class V>
static inline float soften(float* s, std::int64_t n) {
  const std::int64_t end = (n + 15) / 16 * 16;
  for (std::int64_t j = n; j < end; ++j) s[j] = -__builtin_inff();
  V m = V::load(s);
  for (std::int64_t j = 16; j < end; j += 16) m = V::max(m, V::load(s + j));
  const V max = V::set1(m.max_lane());
  V sum = V::zero();
  for (std::int64_t j = 0; j < end; j += 16) {
    const V e = exp(V::load(s + j) - max);
    e.store(s + j);
    sum = sum + e;
  }
  return sum.sum();
}

/// Adds positions [begin, end) of 16 * kVectors value columns from `column` on to the rows' sums;
/// a row stops where it sees no further. kPartial: of the (single) vector `width` columns exist.
template <class V, int kRows, int kVectors, bool kPartial, bool kPrefetch>
static inline void value_tile(const AttentionBlock& b, int row, std::int64_t column, int width,
                              std::int64_t begin, std::int64_t end) {
  constexpr std::size_t kR = kRows, kN = kVectors;  // -Wsign-conversion minds int in array sizes
  const float* e[kR];
  V acc[kR][kN];
  for (int r = 0; r < kRows; ++r) {
    e[r] = b.scores + (row + r) * b.score_stride;
    for (int n = 0; n < kVectors; ++n)
      acc[r][n] =
          begin == 0 ? V::zero() : V::load(b.sums + (row + r) * b.sum_stride + column + n * 16);
  }
  const auto step = [&](std::int64_t j, const auto& sees) {
    const float* p = b.values + j * b.dim + column;
    V value[kN];
    for (int n = 0; n < kVectors; ++n) {
      value[n] = kPartial ? V::load_partial(p, width) : V::load(p + n * 16);
      if constexpr (kPrefetch) prefetch(p, kValuePositions * b.dim + n * 16);
    }
    for (int r = 0; r < kRows; ++r) {
      if (!sees(r)) continue;
      const V weight = V::set1(e[r][j]);
      for (int n = 0; n < kVectors; ++n) acc[r][n] = V::fma(weight, value[n], acc[r][n]);
    }
  };
  const std::int64_t all = b.seen[row], last = b.seen[row + kRows - 1];
  std::int64_t j = begin;
  for (; j < end && j < all; ++j) step(j, [](int) { return true; });
  for (; j < end && j < last; ++j) step(j, [&](int r) { return j < b.seen[row + r]; });
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n)
      acc[r][n].store(b.sums + (row + r) * b.sum_stride + column + n * 16);
}

/// Sums of e[j] * value[j] of all rows. 64 positions at a time, so that values come from memory
/// once and in order (64 * 128 floats are 32 KB).
template <class V, bool kPrefetch>
static inline void weigh_values(const AttentionBlock& b) {
  const std::int64_t seen = b.seen[b.count - 1];
  for (std::int64_t begin = 0; begin < seen; begin += kValuePositions) {
    const std::int64_t end = begin + kValuePositions < seen ? begin + kValuePositions : seen;
    for_row_tiles<V>(b.count, [&]<int kRows>(int row) {
      constexpr int kVectors = tile_vectors<V>(kRows);
      std::int64_t d = 0;
      for (; d + 16 * kVectors <= b.dim; d += 16 * kVectors)
        value_tile<V, kRows, kVectors, false, kPrefetch>(b, row, d, 16, begin, end);
      for (; d + 16 <= b.dim; d += 16)
        value_tile<V, kRows, 1, false, kPrefetch>(b, row, d, 16, begin, end);
      if (d < b.dim)
        value_tile<V, kRows, 1, true, kPrefetch>(b, row, d, static_cast<int>(b.dim - d), begin,
                                                 end);
    });
  }
}

template <class V>
static inline void finish_row(const AttentionBlock& b, int row, float z) {
  const float* sums = b.sums + row * b.sum_stride;
  const V divisor = V::set1(z);
  std::int64_t d = 0;
  for (; d + 16 <= b.dim; d += 16) (V::load(sums + d) / divisor).store(b.out[row] + d);
  if (d < b.dim)
    (V::load(sums + d) / divisor).store_partial(b.out[row] + d, static_cast<int>(b.dim - d));
}

/// kPrefetch: where few rows use each key and value, memory is what limits.
template <class V, bool kPrefetch>
static inline void attend(const AttentionBlock& b) {
  float z[kAttentionRows];
  score<V, kPrefetch>(b);
  for (int r = 0; r < b.count; ++r) z[r] = soften<V>(b.scores + r * b.score_stride, b.seen[r]);
  weigh_values<V, kPrefetch>(b);
  for (int r = 0; r < b.count; ++r) finish_row<V>(b, r, z[r]);
}

template <class V>
static inline void attention_heads(const AttentionArgs& a) {
  const std::int64_t group = a.heads / a.kv_heads, rows = a.tokens * group;
  AttentionBlock b;
  b.scores = a.scratch;
  b.score_stride = (a.first_position + a.tokens + 15) / 16 * 16;
  b.sums = a.scratch + kAttentionRows * b.score_stride;
  b.sum_stride = (a.dim + 15) / 16 * 16;
  b.dim = a.dim;
  b.scale = a.scale;
  for (std::int64_t kv = 0; kv < a.kv_heads; ++kv) {
    b.keys = a.keys + kv * a.capacity * a.dim;
    b.values = a.values + kv * a.capacity * a.dim;
    for (std::int64_t first = 0; first < rows; first += kAttentionRows) {
      const std::int64_t left = rows - first;
      b.count = static_cast<int>(left < kAttentionRows ? left : kAttentionRows);
      for (int r = 0; r < b.count; ++r) {
        const std::int64_t t = (first + r) / group, h = kv * group + (first + r) % group;
        b.q[r] = a.q + t * a.q_stride + h * a.dim;
        b.out[r] = a.out + t * a.out_stride + h * a.dim;
        b.seen[r] = a.first_position + t + 1;
      }
      if (a.tokens == 1)
        attend<V, true>(b);
      else
        attend<V, false>(b);
    }
  }
}

}  // namespace bitnet::cpu
