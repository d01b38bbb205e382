// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary embedding and the writing of the KV cache (formulas and layouts: ops/args.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

using RopeFn = void(const RopeArgs&) noexcept;
RopeFn rope_reference, rope_avx2, rope_avx512, rope_neon;

/// A copy: one version for all, some 0.1 % of a token's time.
using KvWriteFn = void(const KvWriteArgs&) noexcept;
KvWriteFn kv_write_reference;

std::span<const Kernel<RopeFn>> rope_kernels() noexcept;
std::span<const Kernel<KvWriteFn>> kv_write_kernels() noexcept;

}  // namespace bitnet::cpu
