// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 matrix products: plain C++.
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {
namespace {

struct Dot {
  using Moved = F32x16;
  using Element = std::int8_t;
  static constexpr int kGroup = 4, kLanes = 4, kOffset = 0;
  struct Sum {
    std::int32_t lane[4];
    void store(std::int32_t* p) const { __builtin_memcpy(p, lane, sizeof lane); }
    friend Sum operator+(const Sum& a, const Sum& b) {
      Sum r;
      for (int i = 0; i < 4; ++i) r.lane[i] = a.lane[i] + b.lane[i];
      return r;
    }
  };
  static Sum zero() { return {}; }
  static Sum load(const std::int32_t* p) {
    Sum r;
    __builtin_memcpy(r.lane, p, sizeof r.lane);
    return r;
  }
  static Sum step(Sum sum, const std::int8_t* a, const std::int8_t* b) {
    for (int i = 0; i < 4; ++i)
      for (int d = 0; d < 4; ++d) sum.lane[i] += a[d] * b[4 * i + d];
    return sum;
  }
};

}  // namespace

const MatmulI8Kernels matmul_i8_reference() noexcept { return matmul_i8_kernels_over<Dot, 4, 4>(); }

}  // namespace bitnet::cpu
