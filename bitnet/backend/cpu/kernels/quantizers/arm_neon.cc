// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantizers and dropout: NEON.
#include "bitnet/backend/cpu/kernels/quantizers/quantizers_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

const QuantizerKernels quantizers_neon() noexcept { return quantizer_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
