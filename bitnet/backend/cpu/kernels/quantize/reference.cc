// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantized activations: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/quantize/quantize_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void quantize_reference(const QuantizeArgs& args) noexcept { quantize_rows<F32x16>(args); }

}  // namespace bitnet::cpu
