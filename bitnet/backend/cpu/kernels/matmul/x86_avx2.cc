// SPDX-License-Identifier: MIT OR Apache-2.0
// Float matrix products: AVX2, tiles of 6 x 16: 12 of 16 registers hold sums.
#include "bitnet/backend/cpu/kernels/matmul/matmul_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

const MatmulKernels matmul_avx2() noexcept { return matmul_kernels_over<F32x16, 6, 1, 4>(); }

}  // namespace bitnet::cpu
