// SPDX-License-Identifier: MIT OR Apache-2.0
// Sketches of dense weights: NEON.
#include "bitnet/backend/cpu/kernels/sketch/sketch_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void sketch_neon(const SketchArgs& args) noexcept { sketch_rows<F32x16>(args); }

}  // namespace bitnet::cpu
