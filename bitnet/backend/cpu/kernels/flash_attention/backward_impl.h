// SPDX-License-Identifier: MIT OR Apache-2.0
// The gradient of attention over a vector type (simd/). Weights are computed again, 64 keys times
// some rows at a time: once by blocks of rows for dq, once by blocks of keys for dk and dv, so that
// every sum has one owner and one order.
#pragma once

#include "bitnet/backend/cpu/kernels/flash_attention/product.h"
#include "bitnet/backend/cpu/simd/exp.h"

namespace bitnet::cpu {
namespace {

/// Live rows, rising.
struct FlashRowList {
  std::int64_t row[kFlashRows];
  std::int64_t count;
};

/// Rows and keys of one batch and kv head.
struct FlashGradient {
  const FlashAttentionBackwardArgs& b;
  const FlashAttentionArgs& a;
  const FlashBackwardJob& job;
  std::int64_t group, rows, dim, value_dim;  // rows of all queries; dims in whole vectors
  float *weights, *slopes;                   // [kFlashRows][64] each: p and ds

  explicit FlashGradient(const FlashBackwardJob& j)
      : b(*j.args),
        a(b.forward),
        job(j),
        group(a.heads / a.kv_heads),
        rows(a.queries * group),
        dim(flash_round_up(a.dim, 16)),
        value_dim(flash_round_up(a.value_dim, 16)),
        weights(j.scratch),
        slopes(j.scratch + kFlashRows * kFlashKeys) {}

  float* after_weights() const { return slopes + kFlashRows * kFlashKeys; }

  template <class T>
  T* row_of(const HeadRows<T>& m, std::int64_t row) const {
    const std::int64_t head = job.kv_head * group + row % group;
    return m.data + job.batch * m.batch_stride + head * m.head_stride + row / group * m.row_stride;
  }
  template <class T>
  T* key_of(const HeadRows<T>& m, std::int64_t key) const {
    return m.data + job.batch * m.batch_stride + job.kv_head * m.head_stride + key * m.row_stride;
  }
  /// Whether the forward pass found any weight.
  bool live(std::int64_t row) const { return *row_of(a.logsumexp, row) != -__builtin_inff(); }
};

}  // namespace

static inline std::int64_t clamp(std::int64_t x, std::int64_t low, std::int64_t high) {
  return x < low ? low : x > high ? high : x;
}

static inline FlashRowList live_rows(const FlashGradient& g, std::int64_t first,
                                     std::int64_t count) {
  FlashRowList list;
  list.count = 0;
  for (std::int64_t r = first; r < first + count; ++r)
    if (g.live(r)) list.row[list.count++] = r;
  return list;
}

/// The keys that each row sees, counted from `block`, of which there are `count`; both ends never
/// fall. Returns whether any row sees any.
static inline bool find_seen(const FlashGradient& g, const FlashRowList& rows, std::int64_t block,
                             std::int64_t count, FlashSpan* seen) {
  bool any = false;
  for (std::int64_t r = 0; r < rows.count; ++r) {
    const FlashSpan all = flash_seen(g.a, rows.row[r] / g.group);
    seen[r] = {clamp(all.begin - block, 0, count), clamp(all.end - block, 0, count)};
    any = any || seen[r].begin < seen[r].end;
  }
  return any;
}

/// The rows that see each key.
static inline void turn_seen(const FlashSpan* seen, std::int64_t rows, std::int64_t count,
                             FlashSpan* by_key) {
  FlashSpan span{0, 0};
  for (std::int64_t j = 0; j < count; ++j) {
    while (span.begin < rows && seen[span.begin].end <= j) ++span.begin;
    while (span.end < rows && seen[span.end].begin <= j) ++span.end;
    by_key[j] = span;
  }
}

/// p and ds of the rows with a block of keys. q, dout: interleaved; keys, values: turned.
template <class V>
static inline void weigh(const FlashGradient& g, const FlashRowList& rows, const float* q,
                         const float* dout, const float* keys, const float* values,
                         const FlashSpan* seen) {
  product<V>(0, rows.count, q, keys, g.a.dim, g.a.scale, seen, g.weights);
  product<V>(0, rows.count, dout, values, g.a.value_dim, 1.0f, seen, g.slopes);
  for (std::int64_t r = 0; r < rows.count; ++r) {
    float *p = g.weights + r * kFlashKeys, *ds = g.slopes + r * kFlashKeys;
    const V logsumexp = V::set1(*g.row_of(g.a.logsumexp, rows.row[r]));
    const V delta = V::set1(g.job.delta[rows.row[r]]);
    for (std::int64_t j = seen[r].begin / 16 * 16; j < seen[r].end; j += 16) {
      const V weight = exp(V::load(p + j) - logsumexp);
      weight.store(p + j);
      (weight * (V::load(ds + j) - delta)).store(ds + j);
    }
  }
}

template <class V>
static inline float dot16(const float* x, const float* y, std::int64_t count) {
  V sum = V::zero();
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) sum = V::fma(V::load(x + i), V::load(y + i), sum);
  if (i < count) {
    const int left = static_cast<int>(count - i);
    sum = V::fma(V::load_partial(x + i, left), V::load_partial(y + i, left), sum);
  }
  return sum.sum();
}

/// out[c] = sums[c] * scale
template <class V>
static inline void store_row(const float* sums, float scale, std::int64_t columns, float* out) {
  const V factor = V::set1(scale);
  std::int64_t c = 0;
  for (; c + 16 <= columns; c += 16) (V::load(sums + c) * factor).store(out + c);
  if (c < columns)
    (V::load(sums + c) * factor).store_partial(out + c, static_cast<int>(columns - c));
}

/// A block of keys and its values, turned.
template <class V>
static inline void turn_keys(const FlashGradient& g, std::int64_t block, std::int64_t count,
                             float* keys, float* values) {
  turn<V>([&](std::int64_t j) { return g.key_of(g.a.k, block + j); }, count, kFlashKeys, g.a.dim,
          keys);
  turn<V>([&](std::int64_t j) { return g.key_of(g.a.v, block + j); }, count, kFlashKeys,
          g.a.value_dim, values);
}

template <class V>
static inline void interleave_rows(const FlashGradient& g, const FlashRowList& rows, float* q,
                                   float* dout) {
  interleave<V>([&](std::int64_t r) { return g.row_of(g.a.q, rows.row[r]); }, rows.count, g.a.dim,
                q);
  interleave<V>([&](std::int64_t r) { return g.row_of(g.b.dout, rows.row[r]); }, rows.count,
                g.a.value_dim, dout);
}

template <class V>
static inline void backward_rows(const FlashGradient& g) {
  const std::int64_t first = g.job.first, end = first + g.job.count;
  float* q = g.after_weights();
  float* dout = q + kFlashRows * g.dim;
  float* dq = dout + kFlashRows * g.value_dim;
  float* keys = dq + kFlashRows * g.dim;
  float* values = keys + kFlashKeys * g.dim;
  float* key_rows = values + kFlashKeys * g.value_dim;
  const FlashRowList rows = live_rows(g, first, g.job.count);
  interleave_rows<V>(g, rows, q, dout);
  for (std::int64_t r = first; r < end; ++r)
    g.job.delta[r] = dot16<V>(g.row_of(g.b.dout, r), g.row_of(g.a.out, r), g.a.value_dim);
  fill(dq, rows.count * g.dim, 0.0f);
  FlashSpan seen[kFlashRows];
  for (std::int64_t block = 0; block < g.a.keys; block += kFlashKeys) {
    const std::int64_t count = clamp(g.a.keys - block, 0, kFlashKeys);
    if (!find_seen(g, rows, block, count, seen)) continue;
    turn_keys<V>(g, block, count, keys, values);
    copy_rows<V>([&](std::int64_t j) { return g.key_of(g.a.k, block + j); }, count, g.a.dim,
                 key_rows, g.dim);
    weigh<V>(g, rows, q, dout, keys, values, seen);
    add_product<V, kFlashKeys, 1, false, false>(0, rows.count, g.slopes, key_rows, g.dim, g.dim,
                                                seen, nullptr, dq);
  }
  for (std::int64_t r = first; r < end; ++r)
    if (!g.live(r)) fill(g.row_of(g.b.dq, r), g.a.dim, 0.0f);
  for (std::int64_t r = 0; r < rows.count; ++r)
    store_row<V>(dq + r * g.dim, g.a.scale, g.a.dim, g.row_of(g.b.dq, rows.row[r]));
}

/// Rows are taken 64 at a time: their four copies then fill an eighth of a megabyte of cache.
template <class V>
static inline void backward_keys(const FlashGradient& g) {
  constexpr std::int64_t kStep = 64;
  const std::int64_t key_floats = kFlashKeys * g.dim, value_floats = kFlashKeys * g.value_dim;
  float* q = g.after_weights();
  float* dout = q + kStep * g.dim;
  float* q_rows = dout + kStep * g.value_dim;
  float* dout_rows = q_rows + kStep * g.dim;
  float* keys = dout_rows + kStep * g.value_dim;
  float* values = keys + kFlashBackwardBlocks * key_floats;
  float* dk = values + kFlashBackwardBlocks * value_floats;
  float* dv = dk + kFlashBackwardBlocks * key_floats;
  const std::int64_t first = g.job.first, blocks = flash_round_up(g.job.count, kFlashKeys) / 64;
  const auto count_of = [&](std::int64_t block) {
    return clamp(g.job.count - block * kFlashKeys, 0, kFlashKeys);
  };
  for (std::int64_t block = 0; block < blocks; ++block)
    turn_keys<V>(g, first + block * kFlashKeys, count_of(block), keys + block * key_floats,
                 values + block * value_floats);
  fill(dk, blocks * key_floats, 0.0f);
  fill(dv, blocks * value_floats, 0.0f);
  FlashSpan seen[kStep], by_key[kFlashKeys];
  for (std::int64_t row = 0; row < g.rows; row += kStep) {
    const FlashRowList rows = live_rows(g, row, clamp(g.rows - row, 0, kStep));
    if (!find_seen(g, rows, first, g.job.count, seen)) continue;
    interleave_rows<V>(g, rows, q, dout);
    copy_rows<V>([&](std::int64_t r) { return g.row_of(g.a.q, rows.row[r]); }, rows.count, g.a.dim,
                 q_rows, g.dim);
    copy_rows<V>([&](std::int64_t r) { return g.row_of(g.b.dout, rows.row[r]); }, rows.count,
                 g.a.value_dim, dout_rows, g.value_dim);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t count = count_of(block);
      if (!find_seen(g, rows, first + block * kFlashKeys, count, seen)) continue;
      turn_seen(seen, rows.count, count, by_key);
      weigh<V>(g, rows, q, dout, keys + block * key_floats, values + block * value_floats, seen);
      add_product<V, 1, kFlashKeys, false, false>(0, count, g.slopes, q_rows, g.dim, g.dim, by_key,
                                                  nullptr, dk + block * key_floats);
      add_product<V, 1, kFlashKeys, false, false>(0, count, g.weights, dout_rows, g.value_dim,
                                                  g.value_dim, by_key, nullptr,
                                                  dv + block * value_floats);
    }
  }
  for (std::int64_t j = 0; j < g.job.count; ++j) {
    store_row<V>(dk + j * g.dim, g.a.scale, g.a.dim, g.key_of(g.b.dk, first + j));
    store_row<V>(dv + j * g.value_dim, 1.0f, g.a.value_dim, g.key_of(g.b.dv, first + j));
  }
}

template <class V>
static inline void flash_backward(const FlashBackwardJob& job) {
  const FlashGradient g(job);
  if (job.keys)
    backward_keys<V>(g);
  else
    backward_rows<V>(g);
}

}  // namespace bitnet::cpu
