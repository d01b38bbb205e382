// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/norm/norm.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<RmsNormFn> kRmsNormKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, rms_norm_avx512},
    {"avx2", isa::kAvx2, rms_norm_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, rms_norm_neon},
#endif
    {"reference", isa::kNone, rms_norm_reference},
};

}  // namespace

std::span<const Kernel<RmsNormFn>> rms_norm_kernels() noexcept { return kRmsNormKernels; }

}  // namespace bitnet::cpu
