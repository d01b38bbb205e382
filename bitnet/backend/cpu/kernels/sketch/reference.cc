// SPDX-License-Identifier: MIT OR Apache-2.0
// Sketches of dense weights: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/sketch/sketch_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void sketch_reference(const SketchArgs& args) noexcept { sketch_rows<F32x16>(args); }

}  // namespace bitnet::cpu
