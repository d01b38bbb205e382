// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention with a streaming softmax over a vector type (simd/). A block of 64 keys is turned once
// and used by all rows of the unit: first their scores, then their weights, then their sums.
#pragma once

#include <cfloat>

#include "bitnet/backend/cpu/kernels/flash_attention/product.h"
#include "bitnet/backend/cpu/simd/exp.h"

namespace bitnet::cpu {
namespace {

/// m, l and acc of a chunk, or M, L and O of all chunks so far.
struct FlashState {
  float *max, *sum, *acc;

  FlashState(float* at, std::int64_t rows)
      : max(at), sum(at + flash_round_up(rows, 16)), acc(at + 2 * flash_round_up(rows, 16)) {}
};

/// The unit's operands and scratch.
struct FlashUnit {
  const FlashAttentionArgs& a;
  const FlashForwardJob& job;
  std::int64_t group, padded, columns;  // heads a kv head; rows, value_dim in whole vectors
  float *q, *weights, *keys, *values;
  float* spare[2];                   // room for states
  FlashSpan row_seen[kFlashRows];    // keys
  FlashSpan block_seen[kFlashRows];  // keys of the block, from its first

  explicit FlashUnit(const FlashForwardJob& j)
      : a(*j.args),
        job(j),
        group(a.heads / a.kv_heads),
        padded(flash_round_up(j.rows, 16)),
        columns(flash_round_up(a.value_dim, 16)) {
    const std::int64_t state = flash_round_up(flash_state_floats(j.rows, a.value_dim), 16);
    q = j.scratch;
    weights = q + padded * a.dim;
    spare[0] = weights + padded * kFlashKeys;
    spare[1] = spare[0] + state;
    keys = spare[1] + state;
    values = keys + kFlashKeys * a.dim;
    for (std::int64_t r = 0; r < j.rows; ++r)
      row_seen[r] = flash_seen(a, (j.first_row + r) / group);
  }

  template <class T>
  T* row_of(const HeadRows<T>& m, std::int64_t r) const {
    const std::int64_t row = job.first_row + r, head = job.kv_head * group + row % group;
    return m.data + job.batch * m.batch_stride + head * m.head_stride + row / group * m.row_stride;
  }
  const float* key_of(const HeadRows<const float>& m, std::int64_t key) const {
    return m.data + job.batch * m.batch_stride + job.kv_head * m.head_stride + key * m.row_stride;
  }
  bool sees(std::int64_t r, std::int64_t begin, std::int64_t end) const {
    return row_seen[r].begin < end && row_seen[r].end > begin;
  }
};

}  // namespace

static inline void begin_state(const FlashUnit& u, const FlashState& s) {
  fill(s.max, u.padded, -FLT_MAX);
  fill(s.sum, u.padded, 0.0f);
  fill(s.acc, u.job.rows * u.columns, 0.0f);
}

/// Scores of rows [first, end) become weights; factor[r] is what earlier sums of row r take.
template <class V>
static inline void soften(const FlashUnit& u, const FlashState& s, std::int64_t first,
                          std::int64_t end, float* factor) {
  float next[kFlashRows];
  for (std::int64_t r = 0; r < u.padded; r += 16) V::load(s.max + r).store(next + r);
  for (std::int64_t r = first; r < end; ++r) {
    float* score = u.weights + r * kFlashKeys;
    const FlashSpan seen = u.block_seen[r];
    const std::int64_t low = seen.begin / 16 * 16, high = flash_round_up(seen.end, 16);
    for (std::int64_t j = low; j < seen.begin; ++j) score[j] = -__builtin_inff();
    for (std::int64_t j = seen.end; j < high; ++j) score[j] = -__builtin_inff();
    V m = V::load(score + low);
    for (std::int64_t j = low + 16; j < high; j += 16) m = V::max(m, V::load(score + j));
    const float most = m.max_lane();
    next[r] = next[r] > most ? next[r] : most;
  }
  for (std::int64_t r = 0; r < u.padded; r += 16)
    exp_of_negative(V::load(s.max + r) - V::load(next + r)).store(factor + r);
  for (std::int64_t r = 0; r < u.padded; r += 16) V::load(next + r).store(s.max + r);
  for (std::int64_t r = first; r < end; ++r) {
    float* score = u.weights + r * kFlashKeys;
    const std::int64_t high = u.block_seen[r].end;
    const V max = V::set1(next[r]);
    V sum = V::zero();
    for (std::int64_t j = u.block_seen[r].begin / 16 * 16; j < high; j += 16) {
      const V p = exp_of_negative(V::load(score + j) - max);
      p.store(score + j);
      sum = sum + p;
    }
    s.sum[r] = s.sum[r] * factor[r] + sum.sum();
  }
}

/// One block of keys, seen by rows [first, end).
template <class V>
static inline void attend_block(FlashUnit& u, const FlashState& s, std::int64_t block,
                                std::int64_t first, std::int64_t end) {
  const FlashAttentionArgs& a = u.a;
  const std::int64_t count = a.keys - block < kFlashKeys ? a.keys - block : kFlashKeys;
  const std::int64_t tile = first / kFlashTile * kFlashTile;
  for (std::int64_t r = tile; r < end; ++r) {
    const std::int64_t low = u.row_seen[r].begin - block, high = u.row_seen[r].end - block;
    u.block_seen[r] = {low < 0 ? 0 : low, high > count ? count : high};
  }
  // Few rows neither pay for a copy of the values nor hide the way from memory.
  const bool few = u.job.rows < kFlashTile;
  const auto key_of = [&](std::int64_t j) { return u.key_of(a.k, block + j); };
  if (few) {
    RowsAhead ahead{key_of(0), a.k.row_stride, a.dim, kFlashKeys};
    // 4 rows at a time: fewer streams from memory are faster than fewer instructions.
    turn<void>(key_of, count, kFlashKeys, a.dim, u.keys, [&] { ahead.fetch(); });
  } else {
    turn<V>(key_of, count, kFlashKeys, a.dim, u.keys);
  }
  product<V>(tile, end, u.q, u.keys, a.dim, a.scale, u.block_seen, u.weights);
  float factor[kFlashRows];
  soften<V>(u, s, first, end, factor);
  if (few && a.value_dim % 16 == 0)
    return add_product<V, kFlashKeys, 1, true, true>(tile, end, u.weights, u.key_of(a.v, block),
                                                     a.v.row_stride, u.columns, u.block_seen,
                                                     factor, s.acc);
  // In place a power of two between rows would put all of them into a few sets of the cache.
  copy_rows<V>([&](std::int64_t j) { return u.key_of(a.v, block + j); }, count, a.value_dim,
               u.values, u.columns);
  add_product<V, kFlashKeys, 1, true, false>(tile, end, u.weights, u.values, u.columns, u.columns,
                                             u.block_seen, factor, s.acc);
}

template <class V>
static inline void attend_chunk(FlashUnit& u, const FlashState& s, std::int64_t chunk) {
  begin_state(u, s);
  const std::int64_t from = chunk * kFlashChunk;
  const std::int64_t to = from + kFlashChunk < u.a.keys ? from + kFlashChunk : u.a.keys;
  for (std::int64_t block = from; block < to; block += kFlashKeys) {
    std::int64_t first = 0, end = u.job.rows;
    while (first < end && !u.sees(first, block, block + kFlashKeys)) ++first;
    while (first < end && !u.sees(end - 1, block, block + kFlashKeys)) --end;
    if (first < end) attend_block<V>(u, s, block, first, end);
  }
}

/// Adds a chunk's state to the rows that see it.
template <class V>
static inline void merge(const FlashUnit& u, const FlashState& total, const FlashState& s,
                         std::int64_t chunk) {
  float old_factor[kFlashRows], new_factor[kFlashRows];
  for (std::int64_t r = 0; r < u.padded; r += 16) {
    const V before = V::load(total.max + r), here = V::load(s.max + r);
    const V next = V::max(before, here);
    exp_of_negative(before - next).store(old_factor + r);
    exp_of_negative(here - next).store(new_factor + r);
  }
  for (std::int64_t r = 0; r < u.job.rows; ++r) {
    if (!u.sees(r, chunk * kFlashChunk, (chunk + 1) * kFlashChunk)) continue;
    total.max[r] = total.max[r] > s.max[r] ? total.max[r] : s.max[r];
    total.sum[r] = __builtin_fmaf(s.sum[r], new_factor[r], total.sum[r] * old_factor[r]);
    const V old = V::set1(old_factor[r]), now = V::set1(new_factor[r]);
    for (std::int64_t c = r * u.columns; c < (r + 1) * u.columns; c += 16)
      V::fma(V::load(s.acc + c), now, V::load(total.acc + c) * old).store(total.acc + c);
  }
}

template <class V>
static inline void finish(const FlashUnit& u, const FlashState& total) {
  for (std::int64_t r = 0; r < u.job.rows; ++r) {
    u.job.sums[r] = total.max[r];
    u.job.sums[kFlashRows + r] = total.sum[r];
    float* out = u.row_of(u.a.out, r);
    if (total.sum[r] == 0.0f) {
      fill(out, u.a.value_dim, 0.0f);
      continue;
    }
    const float* acc = total.acc + r * u.columns;
    const V sum = V::set1(total.sum[r]);
    std::int64_t c = 0;
    for (; c + 16 <= u.a.value_dim; c += 16) (V::load(acc + c) / sum).store(out + c);
    if (c < u.a.value_dim)
      (V::load(acc + c) / sum).store_partial(out + c, static_cast<int>(u.a.value_dim - c));
  }
}

template <class V>
static inline void flash_forward(const FlashForwardJob& job) {
  FlashUnit u(job);
  const FlashState total(u.spare[0], job.rows), mine(u.spare[1], job.rows);
  if (job.step != FlashStep::combine)
    interleave<V>([&](std::int64_t r) { return u.row_of(u.a.q, r); }, job.rows, u.a.dim, u.q);
  if (job.step == FlashStep::chunk)
    return attend_chunk<V>(u, FlashState(job.states, job.rows), job.chunk);
  begin_state(u, total);
  const std::int64_t end = u.row_seen[job.rows - 1].end;
  for (std::int64_t chunk = u.row_seen[0].begin / kFlashChunk; chunk * kFlashChunk < end; ++chunk) {
    if (job.step == FlashStep::whole) {
      attend_chunk<V>(u, mine, chunk);
      merge<V>(u, total, mine, chunk);
    } else {
      const std::int64_t floats = flash_state_floats(job.rows, u.a.value_dim);
      merge<V>(u, total, FlashState(job.states + chunk * floats, job.rows), chunk);
    }
  }
  finish<V>(u, total);
}

}  // namespace bitnet::cpu
