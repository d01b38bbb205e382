// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the rope kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/rope/rope.h"

namespace bitnet::cpu {

template <class V>
static inline void rope_head(float* x, const float* cos, const float* sin, std::int64_t half) {
  std::int64_t i = 0;
  for (; i + 16 <= half; i += 16) {
    const V a = V::load(x + i), b = V::load(x + half + i);
    const V c = V::load(cos + i), s = V::load(sin + i);
    V::fma(-b, s, a * c).store(x + i);
    V::fma(a, s, b * c).store(x + half + i);
  }
  if (i == half) return;
  const int n = static_cast<int>(half - i);
  const V a = V::load_partial(x + i, n), b = V::load_partial(x + half + i, n);
  const V c = V::load_partial(cos + i, n), s = V::load_partial(sin + i, n);
  V::fma(-b, s, a * c).store_partial(x + i, n);
  V::fma(a, s, b * c).store_partial(x + half + i, n);
}

template <class V>
static inline void rope_rows(const RopeArgs& a) {
  const std::int64_t half = a.dim / 2;
  for (std::int64_t t = 0; t < a.tokens; ++t)
    for (std::int64_t h = 0; h < a.heads; ++h)
      rope_head<V>(a.x + t * a.x_stride + h * a.dim, a.cos + t * half, a.sin + t * half, half);
}

}  // namespace bitnet::cpu
