// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention with a streaming softmax and its gradient (formulas: ops/flash_attention_args.h): units
// of work and their scratch.
// A "row" is a query of one of the heads that share a kv head: row r of (batch, kv_head) is query
// r / group of head kv_head * group + r % group, group = heads / kv_heads.
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/flash_attention_args.h"

namespace bitnet::cpu {

constexpr std::int64_t kFlashKeys = 64;     // of a block
constexpr std::int64_t kFlashChunk = 1024;  // keys of a chunk
/// Rows of a unit at most: with 128, packing a block of keys takes 1/16 of what its products take.
constexpr std::int64_t kFlashRows = 128;
/// Blocks of keys of a unit of the gradient of k and v.
constexpr std::int64_t kFlashBackwardBlocks = 2;
/// Rows of q whose coefficients lie interleaved, [dim][8].
constexpr std::int64_t kFlashTile = 8;

enum class FlashStep : std::uint8_t {
  whole,    // all chunks
  chunk,    // one chunk, its (m, l, acc) to `states`
  combine,  // the states of all chunks to the output
};

struct FlashForwardJob {
  const FlashAttentionArgs* args;
  std::int64_t batch, kv_head, first_row, rows;  // rows <= kFlashRows
  FlashStep step;
  std::int64_t chunk;
  float* states;   // chunk: of flash_state_floats(); combine: one for each chunk of the keys
  float* sums;     // whole, combine: [2][kFlashRows]: M and L of the rows
  float* scratch;  // of the worker's own, flash_forward_scratch_floats(), 64-byte aligned
};
using FlashForwardFn = void(const FlashForwardJob&) noexcept;
FlashForwardFn flash_forward_reference, flash_forward_avx2, flash_forward_avx512,
    flash_forward_neon;

/// dq and delta of rows, or dk and dv of keys.
struct FlashBackwardJob {
  const FlashAttentionBackwardArgs* args;
  std::int64_t batch, kv_head;
  bool keys;           // whether `first` and `count` are keys (a multiple of 64 first) or rows
  std::int64_t first;  // row, or key
  std::int64_t count;  // rows <= kFlashRows, or keys <= kFlashBackwardBlocks * kFlashKeys
  float* delta;        // [queries * group] of this batch and kv head: written by rows, read by keys
  float* scratch;      // of the worker's own, flash_backward_scratch_floats(), 64-byte aligned
};
using FlashBackwardFn = void(const FlashBackwardJob&) noexcept;
FlashBackwardFn flash_backward_reference, flash_backward_avx2, flash_backward_avx512,
    flash_backward_neon;

std::span<const Kernel<FlashForwardFn>> flash_forward_kernels() noexcept;
std::span<const Kernel<FlashBackwardFn>> flash_backward_kernels() noexcept;

// Kernel files include this header: nothing in it may become a weak symbol.

static inline std::int64_t flash_round_up(std::int64_t n, std::int64_t step) {
  return (n + step - 1) / step * step;
}

/// Keys [begin, end).
struct FlashSpan {
  std::int64_t begin, end;
};

/// The keys that query t sees; begin >= end where there are none. Both never fall as t rises.
static inline FlashSpan flash_seen(const FlashAttentionArgs& a, std::int64_t t) {
  if (!a.causal) return {0, a.keys};
  std::int64_t end = t + a.keys - a.queries + 1;
  end = end < 0 ? 0 : end;  // t < queries, so end <= keys
  const bool cut = a.window > 0 && end > a.window;
  return {cut ? end - a.window : 0, end};
}

/// m, l and acc of one chunk for `rows` rows.
static inline std::int64_t flash_state_floats(std::int64_t rows, std::int64_t value_dim) {
  return 2 * flash_round_up(rows, 16) + rows * flash_round_up(value_dim, 16);
}

/// q; two states; the weights of a block; its keys, turned, and values.
static inline std::int64_t flash_forward_scratch_floats(std::int64_t rows, std::int64_t dim,
                                                        std::int64_t value_dim) {
  const std::int64_t padded = flash_round_up(rows, 16);
  return padded * dim + 2 * flash_round_up(flash_state_floats(rows, value_dim), 16) +
         padded * kFlashKeys + kFlashKeys * (dim + flash_round_up(value_dim, 16));
}

/// The larger of the two kinds of job.
static inline std::int64_t flash_backward_scratch_floats(std::int64_t dim, std::int64_t value_dim) {
  const std::int64_t d = flash_round_up(dim, 16), dv = flash_round_up(value_dim, 16);
  const std::int64_t weights = 2 * kFlashRows * kFlashKeys;
  const std::int64_t rows = kFlashRows * (2 * d + dv) + kFlashKeys * (2 * d + dv) + weights;
  const std::int64_t keys =
      2 * kFlashBackwardBlocks * kFlashKeys * (d + dv) + 2 * kFlashKeys * (d + dv) + weights;
  return rows > keys ? rows : keys;
}

}  // namespace bitnet::cpu
