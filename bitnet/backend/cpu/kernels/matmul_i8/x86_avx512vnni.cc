// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: vpdpbusd on 512 bits, tiles of 14 x 32.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {
namespace {

struct Dot {
  using Moved = F32x16;
  using Element = std::int8_t;
  static constexpr int kGroup = 4, kLanes = 16, kOffset = 128;
  struct Sum {
    __m512i v;
    void store(std::int32_t* p) const { _mm512_storeu_si512(p, v); }
    friend Sum operator+(Sum a, Sum b) { return {_mm512_add_epi32(a.v, b.v)}; }
  };
  static Sum zero() { return {_mm512_setzero_si512()}; }
  static Sum load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
  static Sum step(Sum sum, const std::int8_t* a, const std::int8_t* b) {
    int group;
    __builtin_memcpy(&group, a, sizeof group);
    return {_mm512_dpbusd_epi32(sum.v, _mm512_set1_epi32(group), _mm512_loadu_si512(b))};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_avx512vnni() noexcept {
  return matmul_i8_kernels_over<Dot, 14, 2>();
}

}  // namespace bitnet::cpu
