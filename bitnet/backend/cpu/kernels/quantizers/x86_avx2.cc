// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantizers and dropout: AVX2.
#include "bitnet/backend/cpu/kernels/quantizers/quantizers_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

const QuantizerKernels quantizers_avx2() noexcept { return quantizer_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
