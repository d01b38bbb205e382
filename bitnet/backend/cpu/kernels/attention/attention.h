// SPDX-License-Identifier: MIT OR Apache-2.0
// Causal attention over the KV cache (formula: ops/args.h, AttentionArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Any dim and number of heads. scratch: attention_scratch_floats() of the arguments.
using AttentionFn = void(const AttentionArgs&) noexcept;
AttentionFn attention_reference, attention_avx2, attention_avx512, attention_neon;

/// Query rows (a token's head each) of one kv head that are processed together: a block of keys is
/// read once for all of them.
constexpr std::int64_t kAttentionRows = 16;

/// Whether keys and values are made floats first: where many rows use them, once for all is cheaper
/// than once for 8 rows, which made attention of a prompt 12 % slower (64 rows, AVX-512).
/// Static, as all that kernels call: they must not export weak symbols.
static constexpr bool attention_widens(const AttentionArgs& a) noexcept {
  return a.type != KvType::f32 && a.tokens * (a.heads / a.kv_heads) >= 2 * kAttentionRows;
}

/// Scores of kAttentionRows rows, their unfinished outputs, keys and values of a head as floats.
static constexpr std::int64_t attention_scratch_floats(const AttentionArgs& a) noexcept {
  const std::int64_t positions = (a.first_position + a.tokens + 15) / 16 * 16;
  return kAttentionRows * (positions + (a.dim + 15) / 16 * 16) +
         (attention_widens(a) ? 2 * positions * a.dim : 0);
}

std::span<const Kernel<AttentionFn>> attention_kernels() noexcept;

}  // namespace bitnet::cpu
