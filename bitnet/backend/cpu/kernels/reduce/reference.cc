// SPDX-License-Identifier: MIT OR Apache-2.0
// Reductions: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/reduce/reduce_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

const ReduceKernels reduce_reference() noexcept { return reduce_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
