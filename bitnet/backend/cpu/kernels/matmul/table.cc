// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/matmul/matmul.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<MatmulFn> kMatmulKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, matmul_avx512},
    {"avx2", isa::kAvx2, matmul_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, matmul_neon},
#endif
    {"reference", isa::kNone, matmul_reference},
};

}  // namespace

std::span<const Kernel<MatmulFn>> matmul_kernels() noexcept { return kMatmulKernels; }

const MatmulKernels& active_matmul_kernels() {
  static const MatmulKernels kernels = choose(matmul_kernels(), isa::active()).run();
  return kernels;
}

}  // namespace bitnet::cpu
