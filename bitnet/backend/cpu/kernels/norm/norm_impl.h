// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the norm kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/norm/norm.h"
#include "bitnet/backend/cpu/simd/reduce.h"

namespace bitnet::cpu {

template <class V>
static inline void rms_norm_rows(const RmsNormArgs& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    const float* x = a.x + t * a.x_stride;
    float* out = a.out + t * a.out_stride;
    const float mean = sum16_of_squares<V>(x, a.cols) / static_cast<float>(a.divisor);
    const V r = V::set1(1.0f / __builtin_sqrtf(mean + a.eps));
    std::int64_t k = 0;
    for (; k + 16 <= a.cols; k += 16) (V::load(a.weight + k) * (V::load(x + k) * r)).store(out + k);
    if (k < a.cols) {
      const int n = static_cast<int>(a.cols - k);
      (V::load_partial(a.weight + k, n) * (V::load_partial(x + k, n) * r))
          .store_partial(out + k, n);
    }
  }
}

}  // namespace bitnet::cpu
