// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary embedding: AVX2.
#include "bitnet/backend/cpu/kernels/rope/rope_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

void rope_avx2(const RopeArgs& args) noexcept { rope_rows<F32x16>(args); }

}  // namespace bitnet::cpu
