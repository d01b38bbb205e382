// SPDX-License-Identifier: MIT OR Apache-2.0
// Products with sketches: vpdpbusd on 256 bits.
#include "bitnet/backend/cpu/kernels/sketch/dot256.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_dot_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {
namespace {

struct Dot : Dot256 {
  template <class Codes>
  static Sum step(Sum sum, Codes codes, std::int32_t four) {
    return {
        _mm256_dpbusd_avx_epi32(sum.v, reinterpret_cast<__m256i>(codes), _mm256_set1_epi32(four))};
  }
};

}  // namespace

void sketch_dot_avxvnni(const SketchDotArgs& args) noexcept { sketch_dots<F32x16, Dot>(args); }

}  // namespace bitnet::cpu
