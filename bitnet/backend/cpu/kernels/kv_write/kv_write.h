// SPDX-License-Identifier: MIT OR Apache-2.0
// Writing of the KV cache: rounding and layout (ops/args.h, KvType and KvWriteArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Any dim and number of heads; whatever is not of this step's positions is not touched.
using KvWriteFn = void(const KvWriteArgs&) noexcept;
KvWriteFn kv_write_reference, kv_write_avx2, kv_write_avx512, kv_write_neon;

std::span<const Kernel<KvWriteFn>> kv_write_kernels() noexcept;

}  // namespace bitnet::cpu
