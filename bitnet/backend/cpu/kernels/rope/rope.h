// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary embedding (formula: ops/args.h, RopeArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

using RopeFn = void(const RopeArgs&) noexcept;
RopeFn rope_reference, rope_avx2, rope_avx512, rope_neon;

std::span<const Kernel<RopeFn>> rope_kernels() noexcept;

}  // namespace bitnet::cpu
