// SPDX-License-Identifier: MIT OR Apache-2.0
// Sketches of dense weights: AVX-512.
#include "bitnet/backend/cpu/kernels/sketch/sketch_impl.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_refine_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void sketch_avx512(const SketchArgs& args) noexcept { sketch_rows<F32x16>(args); }
void sketch_refine_avx512(const SketchRefineArgs& args) noexcept { sketch_refine<F32x16>(args); }

}  // namespace bitnet::cpu
