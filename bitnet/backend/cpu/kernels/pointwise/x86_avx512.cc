// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise ops: AVX-512.
#include "bitnet/backend/cpu/kernels/pointwise/pointwise_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

const PointwiseKernels pointwise_avx512() noexcept { return pointwise_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
