// SPDX-License-Identifier: MIT OR Apache-2.0
// Products with sketches: vpdpbusd on 512 bits.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/sketch/sketch_dot_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {
namespace {

struct Dot {
  static constexpr int kBytes = 64, kTokens = 8;
  typedef std::uint16_t Words __attribute__((vector_size(64)));
  struct Sum {
    __m512i v;
    void store(std::int32_t* p) const { _mm512_store_si512(p, v); }
  };
  static constexpr bool kLargeCodes = true;
  static Sum zero() { return {_mm512_setzero_si512()}; }
  template <class Codes>
  static Sum step(Sum sum, Codes codes, std::int32_t four) {
    return {_mm512_dpbusd_epi32(sum.v, reinterpret_cast<__m512i>(codes), _mm512_set1_epi32(four))};
  }
  static Sum add_eighth(Sum sum, Sum eight) {
    return {_mm512_add_epi32(sum.v, _mm512_srai_epi32(eight.v, 3))};
  }
  static Sum joined(Sum high, Sum low, std::int32_t start) {
    const __m512i v = _mm512_add_epi32(_mm512_slli_epi32(high.v, 7), low.v);
    return {_mm512_add_epi32(_mm512_slli_epi32(v, 1), _mm512_set1_epi32(start))};
  }
};

}  // namespace

void sketch_dot_avx512vnni(const SketchDotArgs& args) noexcept { sketch_dots<F32x16, Dot>(args); }

}  // namespace bitnet::cpu
