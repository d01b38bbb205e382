// SPDX-License-Identifier: MIT OR Apache-2.0
// Products with sketches: sdot.
#include "bitnet/backend/cpu/kernels/sketch/dot128.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_dot_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {
namespace {

struct Dot : Dot128 {
  template <class Codes>
  static Sum step(Sum sum, Codes codes, std::int32_t four) {
    return {vdotq_s32(sum.v, reinterpret_cast<int8x16_t>(codes), repeated(four))};
  }
};

}  // namespace

void sketch_dot_dotprod(const SketchDotArgs& args) noexcept { sketch_dots<F32x16, Dot>(args); }

}  // namespace bitnet::cpu
