// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary embedding: AVX-512.
#include "bitnet/backend/cpu/kernels/rope/rope_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void rope_avx512(const RopeArgs& args) noexcept { rope_rows<F32x16>(args); }

}  // namespace bitnet::cpu
