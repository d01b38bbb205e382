// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<FlashForwardFn> kFlashForwardKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, flash_forward_avx512},
    {"avx2", isa::kAvx2, flash_forward_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, flash_forward_neon},
#endif
    {"reference", isa::kNone, flash_forward_reference},
};

constexpr Kernel<FlashBackwardFn> kFlashBackwardKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, flash_backward_avx512},
    {"avx2", isa::kAvx2, flash_backward_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, flash_backward_neon},
#endif
    {"reference", isa::kNone, flash_backward_reference},
};

}  // namespace

std::span<const Kernel<FlashForwardFn>> flash_forward_kernels() noexcept {
  return kFlashForwardKernels;
}

std::span<const Kernel<FlashBackwardFn>> flash_backward_kernels() noexcept {
  return kFlashBackwardKernels;
}

}  // namespace bitnet::cpu
