// SPDX-License-Identifier: MIT OR Apache-2.0
// Sketches of dense weights: NEON.
#include "bitnet/backend/cpu/kernels/sketch/dot128.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_dot_impl.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_impl.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_refine_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {
namespace {

struct Dot : Dot128 {
  template <class Codes>
  static Sum step(Sum sum, Codes codes, std::int32_t four) {
    const auto c = reinterpret_cast<int8x16_t>(codes);
    const int8x16_t x = repeated(four);
    const int16x8_t low = vmull_s8(vget_low_s8(c), vget_low_s8(x));
    const int16x8_t high = vmull_s8(vget_high_s8(c), vget_high_s8(x));
    return {vaddq_s32(sum.v, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))};
  }
};

}  // namespace

void sketch_neon(const SketchArgs& args) noexcept { sketch_rows<F32x16>(args); }
void sketch_refine_neon(const SketchRefineArgs& args) noexcept { sketch_refine<F32x16>(args); }
void sketch_dot_neon(const SketchDotArgs& args) noexcept { sketch_dots<F32x16, Dot>(args); }

}  // namespace bitnet::cpu
