// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention: NEON.
#include "bitnet/backend/cpu/kernels/attention/attention_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void attention_neon(const AttentionArgs& args) noexcept { attention_heads<F32x16>(args); }

}  // namespace bitnet::cpu
