// SPDX-License-Identifier: MIT OR Apache-2.0
// RMS norm: AVX2.
#include "bitnet/backend/cpu/kernels/norm/norm_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

void rms_norm_avx2(const RmsNormArgs& args) noexcept { rms_norm_rows<F32x16>(args); }

}  // namespace bitnet::cpu
