// SPDX-License-Identifier: MIT OR Apache-2.0
// Causal attention over the KV cache (formula: ops/args.h, AttentionArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Any dim and number of heads.
/// scratch: attention_scratch_floats(first_position + tokens, dim) floats.
using AttentionFn = void(const AttentionArgs&) noexcept;
AttentionFn attention_reference, attention_avx2, attention_avx512, attention_neon;

/// Query rows (a token's head each) of one kv head that are processed together: a block of keys is
/// read once for all of them.
constexpr std::int64_t kAttentionRows = 16;

/// Scores of kAttentionRows rows and their unfinished outputs. `positions` is the number of
/// positions that the last token sees.
constexpr std::int64_t attention_scratch_floats(std::int64_t positions, std::int64_t dim) noexcept {
  return kAttentionRows * ((positions + 15) / 16 * 16 + (dim + 15) / 16 * 16);
}

std::span<const Kernel<AttentionFn>> attention_kernels() noexcept;

}  // namespace bitnet::cpu
