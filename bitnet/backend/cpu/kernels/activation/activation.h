// SPDX-License-Identifier: MIT OR Apache-2.0
// Element-wise kernels: gated activations and residual addition (formulas: ops/args.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// silu takes exp from simd/exp.h; relu2 of NaN is NaN.
using GatedActivationFn = void(const GatedActivationArgs&) noexcept;
GatedActivationFn gated_activation_reference, gated_activation_avx2, gated_activation_avx512,
    gated_activation_neon;

using AddFn = void(const AddArgs&) noexcept;
AddFn add_reference, add_avx2, add_avx512, add_neon;

/// out[i] = exp(x[i]) of simd/exp.h for i < count; out may be x.
struct ExpArgs {
  const float* x;
  float* out;
  std::int64_t count;
};
using ExpFn = void(const ExpArgs&) noexcept;
ExpFn exp_reference, exp_avx2, exp_avx512, exp_neon;

std::span<const Kernel<GatedActivationFn>> gated_activation_kernels() noexcept;
std::span<const Kernel<AddFn>> add_kernels() noexcept;
std::span<const Kernel<ExpFn>> exp_kernels() noexcept;

}  // namespace bitnet::cpu
