// SPDX-License-Identifier: MIT OR Apache-2.0
// Float matrix products: NEON, tiles of 6 x 16: 24 of 32 registers hold sums.
#include "bitnet/backend/cpu/kernels/matmul/matmul_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

const MatmulKernels matmul_neon() noexcept { return matmul_kernels_over<F32x16, 6, 1, 4>(); }

}  // namespace bitnet::cpu
