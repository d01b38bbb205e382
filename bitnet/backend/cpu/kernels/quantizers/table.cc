// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/quantizers/quantizers.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<QuantizerFn> kRows[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, quantizers_avx512},
    {"avx2", isa::kAvx2, quantizers_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, quantizers_neon},
#endif
    {"reference", isa::kNone, quantizers_reference},
};

}  // namespace

std::span<const Kernel<QuantizerFn>> quantizers_kernels() noexcept { return kRows; }

const QuantizerKernels& active_quantizers_kernels() {
  static const QuantizerKernels kernels = choose(quantizers_kernels(), isa::active()).run();
  return kernels;
}

}  // namespace bitnet::cpu
