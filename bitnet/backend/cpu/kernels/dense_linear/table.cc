// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<DenseLinearFn> kDenseLinearKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, dense_linear_avx512},
    {"avx2", isa::kAvx2, dense_linear_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, dense_linear_neon},
#endif
    {"reference", isa::kNone, dense_linear_reference},
};

constexpr Kernel<EmbedFn> kEmbedKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, embed_avx512},
    {"avx2", isa::kAvx2, embed_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, embed_neon},
#endif
    {"reference", isa::kNone, embed_reference},
};

}  // namespace

std::span<const Kernel<DenseLinearFn>> dense_linear_kernels() noexcept {
  return kDenseLinearKernels;
}

std::span<const Kernel<EmbedFn>> embed_kernels() noexcept { return kEmbedKernels; }

}  // namespace bitnet::cpu
