// SPDX-License-Identifier: MIT OR Apache-2.0
// Float matrix products: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/matmul/matmul_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

const MatmulKernels matmul_reference() noexcept { return matmul_kernels_over<F32x16, 4, 1, 4>(); }

}  // namespace bitnet::cpu
