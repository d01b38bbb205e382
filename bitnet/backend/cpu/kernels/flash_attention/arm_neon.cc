// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention with a streaming softmax and its gradient: NEON.
#include "bitnet/backend/cpu/kernels/flash_attention/backward_impl.h"
#include "bitnet/backend/cpu/kernels/flash_attention/forward_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void flash_forward_neon(const FlashForwardJob& job) noexcept { flash_forward<F32x16>(job); }

void flash_backward_neon(const FlashBackwardJob& job) noexcept { flash_backward<F32x16>(job); }

}  // namespace bitnet::cpu
