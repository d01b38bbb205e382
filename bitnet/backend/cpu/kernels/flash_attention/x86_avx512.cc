// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention with a streaming softmax and its gradient: AVX-512.
#include "bitnet/backend/cpu/kernels/flash_attention/backward_impl.h"
#include "bitnet/backend/cpu/kernels/flash_attention/forward_impl.h"
#include "bitnet/backend/cpu/kernels/flash_attention/turn_avx512.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void flash_forward_avx512(const FlashForwardJob& job) noexcept { flash_forward<F32x16>(job); }

void flash_backward_avx512(const FlashBackwardJob& job) noexcept { flash_backward<F32x16>(job); }

}  // namespace bitnet::cpu
