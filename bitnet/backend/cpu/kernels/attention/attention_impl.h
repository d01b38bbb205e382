// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of attention over a vector type (simd/). Both matrix products are the same tile:
// acc[r][n] = fma(a[r][i], b[i][n], acc[r][n]) over i, a few query rows times a few vectors of keys
// or of value columns, at least 8 independent chains.
#pragma once

#include <cstddef>
#include <type_traits>

#include "bitnet/backend/cpu/kernels/attention/attention.h"
#include "bitnet/backend/cpu/simd/exp.h"

namespace bitnet::cpu {

/// Query rows [0, count) of one kv head and the scratch of their block. T: numbers of the keys and
/// values, float, bits of bf16 or int8.
template <class T>
struct AttentionBlock {
  const float* q[kAttentionRows];
  float* out[kAttentionRows];
  std::int64_t seen[kAttentionRows];  // positions that the row sees: p + 1, never decreasing
  const T* keys;                      // [blocks][dim][16]
  const T* values;                    // [positions][dim]
  const float* key_scales;            // [positions]; of int8
  const float* value_scales;
  float* scores;  // [kAttentionRows][score_stride]
  std::int64_t score_stride;
  float* sums;  // [kAttentionRows][sum_stride]: unfinished outputs
  std::int64_t sum_stride;
  std::int64_t dim;
  float scale;
  int count;
};

template <class V>
static inline V load_numbers(const float* p) {
  return V::load(p);
}
template <class V>
static inline V load_numbers(const std::uint16_t* p) {
  return V::load_bf16(p);
}
template <class V>
static inline V load_numbers(const std::int8_t* p) {
  return V::load_i8(p);
}

/// Lanes from `count` on are 0 and not read.
template <class V>
static inline V load_some(const float* p, int count) {
  return V::load_partial(p, count);
}
template <class V, class T>
static inline V load_some(const T* p, int count) {
  T numbers[16] = {};
  for (int i = 0; i < count; ++i) numbers[i] = p[i];
  return load_numbers<V>(numbers);
}

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
template <class T>
static inline void prefetch(const T* p, std::int64_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) +
                                                   static_cast<std::uintptr_t>(ahead) * sizeof(T)));
}

/// Whether vector n of a run is the first in its cache line.
template <class T>
constexpr bool begins_line(int n) {
  return static_cast<std::size_t>(n) * 16 * sizeof(T) % 64 == 0;
}

/// Scores of kRows rows with 16 * kVectors keys from key block `block` on. Keys that a row does not
/// see get a score too, which is overwritten later.
template <class V, class T, bool kScaled, int kRows, int kVectors, bool kPrefetch>
static inline void score_tile(const AttentionBlock<T>& b, int row, std::int64_t block) {
  constexpr std::size_t kR = kRows, kN = kVectors;  // -Wsign-conversion minds int in array sizes
  const std::int64_t block_numbers = b.dim * 16;
  const T* keys = b.keys + block * block_numbers;
  const float* q[kR];
  for (int r = 0; r < kRows; ++r) q[r] = b.q[row + r];
  V acc[kR][kN];
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n) acc[r][n] = V::zero();
  for (std::int64_t d = 0; d < b.dim; ++d) {
    V key[kN];
    for (int n = 0; n < kVectors; ++n) {
      key[n] = load_numbers<V>(keys + n * block_numbers + d * 16);
      if (kPrefetch && begins_line<T>(n))
        prefetch(keys, kVectors * block_numbers + (d * kVectors + n) * 16);
    }
    for (int r = 0; r < kRows; ++r) {
      const V query = V::set1(q[r][d]);
      for (int n = 0; n < kVectors; ++n) acc[r][n] = V::fma(query, key[n], acc[r][n]);
    }
  }
  const V scale = V::set1(b.scale);
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kVectors; ++n) {
      if constexpr (kScaled) acc[r][n] = acc[r][n] * V::load(b.key_scales + (block + n) * 16);
      (acc[r][n] * scale).store(b.scores + (row + r) * b.score_stride + (block + n) * 16);
    }
}

/// Scores of all rows. Outer loop over the keys, so that each comes from memory once.
template <class V, class T, bool kScaled, bool kPrefetch>
static inline void score(const AttentionBlock<T>& b) {
  constexpr int kStep = tile_vectors<V>(1);
  const std::int64_t blocks = (b.seen[b.count - 1] + 15) / 16;
  for (std::int64_t first = 0; first < blocks; first += kStep) {
    const std::int64_t end = first + kStep < blocks ? first + kStep : blocks;
    for_row_tiles<V>(b.count, [&]<int kRows>(int row) {
      constexpr int kVectors = tile_vectors<V>(kRows);
      std::int64_t block = first;
      for (; block + kVectors <= end; block += kVectors)
        score_tile<V, T, kScaled, kRows, kVectors, kPrefetch>(b, row, block);
      for (; block < end; ++block) score_tile<V, T, kScaled, kRows, 1, kPrefetch>(b, row, block);
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

/// e[0, n) *= scales, also what lies behind n in the last vector.
template <class V>
static inline void scale_weights(float* e, const float* scales, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += 16) (V::load(e + j) * V::load(scales + j)).store(e + j);
}

/// Adds positions [begin, end) of 16 * kVectors value columns from `column` on to the rows' sums;
/// a row stops where it sees no further. kPartial: of the (single) vector `width` columns exist.
template <class V, class T, int kRows, int kVectors, bool kPartial, bool kPrefetch>
static inline void value_tile(const AttentionBlock<T>& b, int row, std::int64_t column, int width,
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
    const T* p = b.values + j * b.dim + column;
    V value[kN];
    for (int n = 0; n < kVectors; ++n) {
      value[n] = kPartial ? load_some<V>(p, width) : load_numbers<V>(p + n * 16);
      if (kPrefetch && begins_line<T>(n)) prefetch(p, kValuePositions * b.dim + n * 16);
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
template <class V, class T, bool kPrefetch>
static inline void weigh_values(const AttentionBlock<T>& b) {
  const std::int64_t seen = b.seen[b.count - 1];
  for (std::int64_t begin = 0; begin < seen; begin += kValuePositions) {
    const std::int64_t end = begin + kValuePositions < seen ? begin + kValuePositions : seen;
    for_row_tiles<V>(b.count, [&]<int kRows>(int row) {
      constexpr int kVectors = tile_vectors<V>(kRows);
      std::int64_t d = 0;
      for (; d + 16 * kVectors <= b.dim; d += 16 * kVectors)
        value_tile<V, T, kRows, kVectors, false, kPrefetch>(b, row, d, 16, begin, end);
      for (; d + 16 <= b.dim; d += 16)
        value_tile<V, T, kRows, 1, false, kPrefetch>(b, row, d, 16, begin, end);
      if (d < b.dim)
        value_tile<V, T, kRows, 1, true, kPrefetch>(b, row, d, static_cast<int>(b.dim - d), begin,
                                                    end);
    });
  }
}

template <class V, class T>
static inline void finish_row(const AttentionBlock<T>& b, int row, float z) {
  const float* sums = b.sums + row * b.sum_stride;
  const V divisor = V::set1(z);
  std::int64_t d = 0;
  for (; d + 16 <= b.dim; d += 16) (V::load(sums + d) / divisor).store(b.out[row] + d);
  if (d < b.dim)
    (V::load(sums + d) / divisor).store_partial(b.out[row] + d, static_cast<int>(b.dim - d));
}

/// kScaled: keys and values have scales. kPrefetch: where few rows use each key and value, memory
/// is what limits.
template <class V, class T, bool kScaled, bool kPrefetch>
static inline void attend(const AttentionBlock<T>& b) {
  float z[kAttentionRows];
  score<V, T, kScaled, kPrefetch>(b);
  for (int r = 0; r < b.count; ++r) {
    float* e = b.scores + r * b.score_stride;
    z[r] = soften<V>(e, b.seen[r]);
    if constexpr (kScaled) scale_weights<V>(e, b.value_scales, b.seen[r]);
  }
  weigh_values<V, T, kPrefetch>(b);
  for (int r = 0; r < b.count; ++r) finish_row<V>(b, r, z[r]);
}

/// All rows of kv head `kv`, whose keys, values and scales `b` holds.
template <class V, bool kScaled, class T>
static inline void attend_rows(const AttentionArgs& a, std::int64_t kv, AttentionBlock<T> b) {
  const std::int64_t group = a.heads / a.kv_heads, rows = a.tokens * group;
  b.scores = a.scratch;
  b.score_stride = (a.first_position + a.tokens + 15) / 16 * 16;
  b.sums = a.scratch + kAttentionRows * b.score_stride;
  b.sum_stride = (a.dim + 15) / 16 * 16;
  b.dim = a.dim;
  b.scale = a.scale;
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
      attend<V, T, kScaled, true>(b);
    else
      attend<V, T, kScaled, false>(b);
  }
}

/// The numbers as floats, which is exact.
template <class V, class T>
static inline const float* widen(const T* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; i += 16) load_numbers<V>(from + i).store(to + i);
  return to;
}

template <class V, class T>
static inline void attend_heads(const AttentionArgs& a) {
  constexpr bool kScaled = std::is_same_v<T, std::int8_t>;
  const std::int64_t head_bytes = kv_head_bytes(a.type, a.capacity, a.dim);
  for (std::int64_t kv = 0; kv < a.kv_heads; ++kv) {
    AttentionBlock<T> b;
    b.keys = reinterpret_cast<const T*>(static_cast<const std::byte*>(a.keys) + kv * head_bytes);
    b.values =
        reinterpret_cast<const T*>(static_cast<const std::byte*>(a.values) + kv * head_bytes);
    b.key_scales = reinterpret_cast<const float*>(b.keys + a.capacity * a.dim);
    b.value_scales = reinterpret_cast<const float*>(b.values + a.capacity * a.dim);
    if (!attention_widens(a)) {
      attend_rows<V, kScaled>(a, kv, b);
      continue;
    }
    const std::int64_t count = (a.first_position + a.tokens + 15) / 16 * 16 * a.dim;
    float* wide = a.scratch + attention_scratch_floats(a) - 2 * count;
    AttentionBlock<float> w;
    w.keys = widen<V>(b.keys, count, wide);
    w.values = widen<V>(b.values, count, wide + count);
    w.key_scales = b.key_scales;
    w.value_scales = b.value_scales;
    attend_rows<V, kScaled>(a, kv, w);
  }
}

template <class V>
static inline void attention_heads(const AttentionArgs& a) {
  switch (a.type) {
    case KvType::f32:
      return attend_heads<V, float>(a);
    case KvType::bf16:
      return attend_heads<V, std::uint16_t>(a);
    case KvType::int8:
      return attend_heads<V, std::int8_t>(a);
  }
}

}  // namespace bitnet::cpu
