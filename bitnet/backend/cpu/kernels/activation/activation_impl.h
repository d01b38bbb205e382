// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the element-wise kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/simd/exp.h"

namespace bitnet::cpu {

template <class V>
struct Relu2 {
  static V of(V gate, V up) {
    const V r = V::max(V::zero(), gate);  // in this order, so that NaN stays
    return r * r * up;
  }
};

template <class V>
struct Silu {
  static V of(V gate, V up) { return gate / (V::set1(1.0f) + exp(-gate)) * up; }
};

template <class V>
struct Sum {
  static V of(V x, V y) { return x + y; }
};

template <class V, class Op>
static inline void elementwise(const float* x, const float* y, float* out, std::int64_t count) {
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) Op::of(V::load(x + k), V::load(y + k)).store(out + k);
  if (k == count) return;
  const int n = static_cast<int>(count - k);
  Op::of(V::load_partial(x + k, n), V::load_partial(y + k, n)).store_partial(out + k, n);
}

template <class V, class Op>
static inline void gated_rows(const GatedActivationArgs& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t)
    elementwise<V, Op>(a.gate + t * a.gate_stride, a.up + t * a.up_stride, a.out + t * a.out_stride,
                       a.cols);
}

template <class V>
static inline void gated_activation_rows(const GatedActivationArgs& a) {
  switch (a.kind) {
    case GatedActivation::relu2:
      return gated_rows<V, Relu2<V>>(a);
    case GatedActivation::silu:
      return gated_rows<V, Silu<V>>(a);
  }
}

template <class V>
static inline void add_rows(const AddArgs& a) {
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    float* x = a.x + t * a.x_stride;
    elementwise<V, Sum<V>>(x, a.y + t * a.y_stride, x, a.cols);
  }
}

template <class V>
static inline void exp_all(const ExpArgs& a) {
  std::int64_t k = 0;
  for (; k + 16 <= a.count; k += 16) exp(V::load(a.x + k)).store(a.out + k);
  if (k == a.count) return;
  const int n = static_cast<int>(a.count - k);
  exp(V::load_partial(a.x + k, n)).store_partial(a.out + k, n);
}

}  // namespace bitnet::cpu
