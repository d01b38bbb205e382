// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the quantize kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/quantize/quantize.h"

namespace bitnet::cpu {

// max_k |x[k]|, a NaN counting as 0. The order does not matter: a maximum is exact.
template <class V>
static inline float abs_max(const float* x, std::int64_t cols) {
  V most = V::zero();
  std::int64_t k = 0;
  const auto step = [&](V v) { most = V::max(V::max(v, -v), most); };
  for (; k + 16 <= cols; k += 16) step(V::load(x + k));
  if (k < cols) step(V::load_partial(x + k, static_cast<int>(cols - k)));
  return most.max_lane();
}

// Adding 1.5 * 2^23 rounds |y| <= 128 to an integer, halves to even, and leaves it in the low byte.
template <class V>
static inline void quantize16(V x, V scale, std::int8_t* q) {
  const V y = x * scale;
  const V number = V::max(y, V::zero()) + V::min(y, V::zero());  // NaN becomes 0
  const V clamped = V::max(V::min(number, V::set1(127.0f)), V::set1(-128.0f));
  (clamped + V::set1(0x1.8p23f)).store_low_bytes(q);
}

template <class V>
static inline void quantize_rows(const QuantizeArgs& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    const float* x = a.x + t * a.x_stride;
    std::int8_t* q = a.q + t * a.q_stride;
    const std::int64_t stored = (a.cols + 255) / 256 * 256;
    const float amax = abs_max<V>(x, a.cols);
    const float s = 127.0f / (amax > 1e-5f ? amax : 1e-5f);
    const V scale = V::set1(s);
    for (std::int64_t k = 0; k < stored; k += 16) {
      // Pair order: 32 columns of a plane lie together, so 16 never straddle.
      std::int8_t* to = q + k / 256 * 256 + k / 32 % 4 * 64 + k / 128 % 2 * 32 + k % 32;
      const std::int64_t left = a.cols - k;
      if (left >= 16)
        quantize16(V::load(x + k), scale, to);
      else
        quantize16(left > 0 ? V::load_partial(x + k, static_cast<int>(left)) : V::zero(), scale,
                   to);
    }
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < stored; ++k) sum += q[k];
    a.sum[t] = sum;
    a.scale[t] = s;
  }
}

}  // namespace bitnet::cpu
