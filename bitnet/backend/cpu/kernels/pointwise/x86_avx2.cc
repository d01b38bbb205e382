// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise ops: AVX2.
#include "bitnet/backend/cpu/kernels/pointwise/pointwise_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

const PointwiseKernels pointwise_avx2() noexcept { return pointwise_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
