// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantized activations: AVX2.
#include "bitnet/backend/cpu/kernels/quantize/quantize_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

void quantize_avx2(const QuantizeArgs& args) noexcept { quantize_rows<F32x16>(args); }

}  // namespace bitnet::cpu
