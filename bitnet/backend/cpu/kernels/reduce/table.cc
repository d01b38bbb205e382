// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/reduce/reduce.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<ReduceFn> kReduceKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, reduce_avx512},
    {"avx2", isa::kAvx2, reduce_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, reduce_neon},
#endif
    {"reference", isa::kNone, reduce_reference},
};

}  // namespace

std::span<const Kernel<ReduceFn>> reduce_kernels() noexcept { return kReduceKernels; }

const ReduceKernels& active_reduce_kernels() {
  static const ReduceKernels kernels = choose(reduce_kernels(), isa::active()).run();
  return kernels;
}

}  // namespace bitnet::cpu
