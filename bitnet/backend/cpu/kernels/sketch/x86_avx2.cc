// SPDX-License-Identifier: MIT OR Apache-2.0
// Sketches of dense weights and products with them: AVX2.
#include "bitnet/backend/cpu/kernels/sketch/dot256.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_dot_impl.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_impl.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_refine_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {
namespace {

// Pairs of products are 2 * 248 * 64 at most: vpmaddubsw does not saturate.
struct Dot : Dot256 {
  template <class Codes>
  static Sum step(Sum sum, Codes codes, std::int32_t four) {
    const __m256i pairs =
        _mm256_maddubs_epi16(reinterpret_cast<__m256i>(codes), _mm256_set1_epi32(four));
    return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
  }
};

}  // namespace

void sketch_avx2(const SketchArgs& args) noexcept { sketch_rows<F32x16>(args); }
void sketch_refine_avx2(const SketchRefineArgs& args) noexcept { sketch_refine<F32x16>(args); }
void sketch_dot_avx2(const SketchDotArgs& args) noexcept { sketch_dots<F32x16, Dot>(args); }

}  // namespace bitnet::cpu
