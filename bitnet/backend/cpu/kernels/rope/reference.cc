// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary embedding: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/rope/rope_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void rope_reference(const RopeArgs& args) noexcept { rope_rows<F32x16>(args); }

}  // namespace bitnet::cpu
