// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary embedding: NEON.
#include "bitnet/backend/cpu/kernels/rope/rope_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void rope_neon(const RopeArgs& args) noexcept { rope_rows<F32x16>(args); }

}  // namespace bitnet::cpu
