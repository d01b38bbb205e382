// SPDX-License-Identifier: MIT OR Apache-2.0
// Minimum and maximum of IEEE 754-2019: NaN where either is, -0 < +0.
#pragma once

namespace bitnet::cpu {

template <class V>
static inline V minimum(V a, V b) {
  const V least = V::select(V::equal(a, b), a | b, V::min(a, b));  // of two zeros -0
  return V::select(V::equal(a, a), least, a);
}

template <class V>
static inline V maximum(V a, V b) {
  const V most = V::select(V::equal(a, b), a & b, V::max(a, b));  // of two zeros +0
  return V::select(V::equal(a, a), most, a);
}

}  // namespace bitnet::cpu
