// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: vpmaddwd on pairs of 16-bit numbers: vpmaddubsw would saturate.
#include <immintrin.h>

#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {
namespace {

struct Dot {
  using Moved = F32x16;
  using Element = std::int16_t;
  static constexpr int kGroup = 2, kLanes = 8, kOffset = 0;
  struct Sum {
    __m256i v;
    void store(std::int32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
    friend Sum operator+(Sum a, Sum b) { return {_mm256_add_epi32(a.v, b.v)}; }
  };
  static Sum zero() { return {_mm256_setzero_si256()}; }
  static Sum load(const std::int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static Sum step(Sum sum, const std::int16_t* a, const std::int16_t* b) {
    int pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    const __m256i products = _mm256_madd_epi16(
        _mm256_set1_epi32(pair), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
    return {_mm256_add_epi32(sum.v, products)};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_avx2() noexcept { return matmul_i8_kernels_over<Dot, 6, 2>(); }

}  // namespace bitnet::cpu
