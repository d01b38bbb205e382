// SPDX-License-Identifier: MIT OR Apache-2.0
// The sums that every float reduction is made of: 16 interleaved partial sums, then a fixed tree.
#pragma once

#include <cstdint>

namespace bitnet::cpu {

/// sum16 of x[k]^2 over k < n: lane l takes k = l, l + 16, … by fma from +0, the row padded with
/// zeros to whole vectors; then V::sum().
template <class V>
static inline float sum16_of_squares(const float* x, std::int64_t n) {
  V acc = V::zero();
  std::int64_t k = 0;
  for (; k + 16 <= n; k += 16) {
    const V v = V::load(x + k);
    acc = V::fma(v, v, acc);
  }
  if (k < n) {
    const V v = V::load_partial(x + k, static_cast<int>(n - k));
    acc = V::fma(v, v, acc);
  }
  return acc.sum();
}

}  // namespace bitnet::cpu
