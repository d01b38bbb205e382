// SPDX-License-Identifier: MIT OR Apache-2.0
// Reductions: AVX2.
#include "bitnet/backend/cpu/kernels/reduce/reduce_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

const ReduceKernels reduce_avx2() noexcept { return reduce_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
