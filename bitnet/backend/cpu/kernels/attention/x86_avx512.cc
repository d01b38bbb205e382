// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention: AVX-512.
#include "bitnet/backend/cpu/kernels/attention/attention_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void attention_avx512(const AttentionArgs& args) noexcept { attention_heads<F32x16>(args); }

}  // namespace bitnet::cpu
