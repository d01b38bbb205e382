// SPDX-License-Identifier: MIT OR Apache-2.0
// RMS norm: NEON.
#include "bitnet/backend/cpu/kernels/norm/norm_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void rms_norm_neon(const RmsNormArgs& args) noexcept { rms_norm_rows<F32x16>(args); }

}  // namespace bitnet::cpu
