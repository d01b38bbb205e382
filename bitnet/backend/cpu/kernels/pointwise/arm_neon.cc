// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise ops: NEON.
#include "bitnet/backend/cpu/kernels/pointwise/pointwise_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

const PointwiseKernels pointwise_neon() noexcept { return pointwise_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
