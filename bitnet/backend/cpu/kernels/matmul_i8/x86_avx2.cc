// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: vpmaddwd on pairs of 16-bit numbers: vpmaddubsw would saturate.
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/kernels/matmul_i8/x86_sums256.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {
namespace {

struct Dot : Sums256 {
  using Moved = F32x16;
  using Element = std::int16_t;
  static constexpr int kGroup = 2, kOffset = 0;
  static Sum step(Sum sum, const std::int16_t* a, const std::int16_t* b) {
    return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(repeated(a), bytes(b)))};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_avx2() noexcept { return matmul_i8_kernels_over<Dot, 6, 2>(); }

}  // namespace bitnet::cpu
