// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/rope/rope.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<RopeFn> kRopeKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, rope_avx512},
    {"avx2", isa::kAvx2, rope_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, rope_neon},
#endif
    {"reference", isa::kNone, rope_reference},
};

}  // namespace

std::span<const Kernel<RopeFn>> rope_kernels() noexcept { return kRopeKernels; }

}  // namespace bitnet::cpu
