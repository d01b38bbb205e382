// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantized activations: AVX-512.
#include "bitnet/backend/cpu/kernels/quantize/quantize_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void quantize_avx512(const QuantizeArgs& args) noexcept { quantize_rows<F32x16>(args); }

}  // namespace bitnet::cpu
