// SPDX-License-Identifier: MIT OR Apache-2.0
// Float matrix products: AVX-512, tiles of 14 x 32: 28 of 32 registers hold sums.
#include "bitnet/backend/cpu/kernels/matmul/matmul_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

const MatmulKernels matmul_avx512() noexcept { return matmul_kernels_over<F32x16, 14, 2, 8>(); }

}  // namespace bitnet::cpu
