// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/activation/activation.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<GatedActivationFn> kGatedActivationKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, gated_activation_avx512},
    {"avx2", isa::kAvx2, gated_activation_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, gated_activation_neon},
#endif
    {"reference", isa::kNone, gated_activation_reference},
};

constexpr Kernel<AddFn> kAddKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, add_avx512},
    {"avx2", isa::kAvx2, add_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, add_neon},
#endif
    {"reference", isa::kNone, add_reference},
};

constexpr Kernel<ExpFn> kExpKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, exp_avx512},
    {"avx2", isa::kAvx2, exp_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, exp_neon},
#endif
    {"reference", isa::kNone, exp_reference},
};

}  // namespace

std::span<const Kernel<GatedActivationFn>> gated_activation_kernels() noexcept {
  return kGatedActivationKernels;
}

std::span<const Kernel<AddFn>> add_kernels() noexcept { return kAddKernels; }

std::span<const Kernel<ExpFn>> exp_kernels() noexcept { return kExpKernels; }

}  // namespace bitnet::cpu
