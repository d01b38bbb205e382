// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<PointwiseFn> kPointwiseKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, pointwise_avx512},
    {"avx2", isa::kAvx2, pointwise_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, pointwise_neon},
#endif
    {"reference", isa::kNone, pointwise_reference},
};

}  // namespace

std::span<const Kernel<PointwiseFn>> pointwise_kernels() noexcept { return kPointwiseKernels; }

const PointwiseKernels& active_pointwise_kernels() {
  static const PointwiseKernels kernels = choose(pointwise_kernels(), isa::active()).run();
  return kernels;
}

}  // namespace bitnet::cpu
