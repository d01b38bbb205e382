// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/attention/attention.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<AttentionFn> kAttentionKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, attention_avx512},
    {"avx2", isa::kAvx2, attention_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, attention_neon},
#endif
    {"reference", isa::kNone, attention_reference},
};

}  // namespace

std::span<const Kernel<AttentionFn>> attention_kernels() noexcept { return kAttentionKernels; }

}  // namespace bitnet::cpu
