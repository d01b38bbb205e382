// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels that quantize activations (formula and layout: ops/args.h, QuantizeArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

using QuantizeFn = void(const QuantizeArgs&) noexcept;
QuantizeFn quantize_reference, quantize_avx2, quantize_avx512, quantize_neon;

std::span<const Kernel<QuantizeFn>> quantize_kernels() noexcept;

}  // namespace bitnet::cpu
