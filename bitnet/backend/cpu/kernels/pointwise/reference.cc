// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise ops: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/pointwise/pointwise_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

const PointwiseKernels pointwise_reference() noexcept {
  return pointwise_kernels_over<F32x16, false>();
}

}  // namespace bitnet::cpu
