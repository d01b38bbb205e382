// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/rows/rows.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<RowsFn> kRowsKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, rows_avx512},
    {"avx2", isa::kAvx2, rows_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, rows_neon},
#endif
    {"reference", isa::kNone, rows_reference},
};

}  // namespace

std::span<const Kernel<RowsFn>> rows_kernels() noexcept { return kRowsKernels; }

}  // namespace bitnet::cpu
