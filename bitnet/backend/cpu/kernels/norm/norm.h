// SPDX-License-Identifier: MIT OR Apache-2.0
// RMS norm kernels (formula: ops/args.h, RmsNormArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

using RmsNormFn = void(const RmsNormArgs&) noexcept;
RmsNormFn rms_norm_reference, rms_norm_avx2, rms_norm_avx512, rms_norm_neon;

std::span<const Kernel<RmsNormFn>> rms_norm_kernels() noexcept;

}  // namespace bitnet::cpu
