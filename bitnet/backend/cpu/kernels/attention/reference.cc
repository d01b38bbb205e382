// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/attention/attention_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void attention_reference(const AttentionArgs& args) noexcept { attention_heads<F32x16>(args); }

}  // namespace bitnet::cpu
