// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: vpdpbusd on 256 bits, tiles of 6 x 16.
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/kernels/matmul_i8/x86_sums256.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {
namespace {

struct Dot : Sums256 {
  using Moved = F32x16;
  using Element = std::int8_t;
  static constexpr int kGroup = 4, kOffset = 128;
  static Sum step(Sum sum, const std::int8_t* a, const std::int8_t* b) {
    return {_mm256_dpbusd_avx_epi32(sum.v, repeated(a), bytes(b))};
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_avxvnni() noexcept { return matmul_i8_kernels_over<Dot, 6, 2>(); }

}  // namespace bitnet::cpu
