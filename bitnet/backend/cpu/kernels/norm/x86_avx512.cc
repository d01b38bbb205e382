// SPDX-License-Identifier: MIT OR Apache-2.0
// RMS norm: AVX-512.
#include "bitnet/backend/cpu/kernels/norm/norm_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void rms_norm_avx512(const RmsNormArgs& args) noexcept { rms_norm_rows<F32x16>(args); }

}  // namespace bitnet::cpu
