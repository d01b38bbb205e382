// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/quantize/quantize.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<QuantizeFn> kQuantizeKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, quantize_avx512},
    {"avx2", isa::kAvx2, quantize_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, quantize_neon},
#endif
    {"reference", isa::kNone, quantize_reference},
};

}  // namespace

std::span<const Kernel<QuantizeFn>> quantize_kernels() noexcept { return kQuantizeKernels; }

}  // namespace bitnet::cpu
