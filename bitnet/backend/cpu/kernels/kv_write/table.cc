// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/kv_write/kv_write.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<KvWriteFn> kKvWriteKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, kv_write_avx512},
    {"avx2", isa::kAvx2, kv_write_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, kv_write_neon},
#endif
    {"reference", isa::kNone, kv_write_reference},
};

}  // namespace

std::span<const Kernel<KvWriteFn>> kv_write_kernels() noexcept { return kKvWriteKernels; }

}  // namespace bitnet::cpu
