// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantized activations: NEON.
#include "bitnet/backend/cpu/kernels/quantize/quantize_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void quantize_neon(const QuantizeArgs& args) noexcept { quantize_rows<F32x16>(args); }

}  // namespace bitnet::cpu
