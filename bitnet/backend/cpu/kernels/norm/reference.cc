// SPDX-License-Identifier: MIT OR Apache-2.0
// RMS norm: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/norm/norm_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void rms_norm_reference(const RmsNormArgs& args) noexcept { rms_norm_rows<F32x16>(args); }

}  // namespace bitnet::cpu
