// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantizers and dropout: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/quantizers/quantizers_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

const QuantizerKernels quantizers_reference() noexcept { return quantizer_kernels_over<F32x16>(); }

}  // namespace bitnet::cpu
