// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the sketch kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/dense_linear/weight_rows.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

namespace {  // no weak symbols in kernel files

// The smallest half that is not below x >= 0, so that no weight over it exceeds 127; 0 where that
// would be no normal number, infinity beyond the largest.
std::uint16_t half_above(float x) noexcept {
  if (!(x >= 0x1p-14f)) return 0;
  if (x > 65504.0f) return 0x7c00;
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x) + 0x1fffu;
  return static_cast<std::uint16_t>((bits >> 13) - (112u << 10));
}

}  // namespace

template <class V, class Row>
static inline void sketch_rows_of(const SketchArgs& a) {
  const V magic = V::set1(0x1.8p23f);  // adding it rounds |y| <= 2^22 to an integer, halves to even
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const auto* from = static_cast<const std::uint8_t*>(a.weights) + r * a.row_bytes;
    std::uint8_t* to = a.out + r * a.out_row_bytes;
    V own = V::zero(), sketch = V::zero(), error = V::zero();
    for (std::int64_t k = 0; k < a.cols; k += 32, to += 34) {
      const V w[2] = {Row::load(from + k * std::int64_t{Row::kBytes}),
                      Row::load(from + (k + 16) * std::int64_t{Row::kBytes})};
      const V most = V::max(V::max(w[0], -w[0]), V::max(w[1], -w[1]));
      const std::uint16_t d_bits = half_above(most.max_lane() / 127.0f);
      to[0] = static_cast<std::uint8_t>(d_bits & 255);
      to[1] = static_cast<std::uint8_t>(d_bits >> 8);
      const V d = V::set1_f16(to);
      const V inverse = d_bits == 0 ? V::zero() : V::set1(1.0f) / d;
      for (int i = 0; i < 2; ++i) {
        const V shifted = w[i] * inverse + magic;
        shifted.store_low_bytes(to + 2 + 16 * i);
        const V s = d * (shifted - magic);  // exact: 11 + 7 bits
        const V e = w[i] - s;
        own = V::fma(w[i], w[i], own);
        sketch = V::fma(s, s, sketch);
        error = V::fma(e, e, error);
      }
    }
    a.squares[3 * r] = own.sum();
    a.squares[3 * r + 1] = sketch.sum();
    a.squares[3 * r + 2] = error.sum();
  }
}

template <class V>
static inline void sketch_rows(const SketchArgs& a) {
  switch (static_cast<DType>(a.dtype)) {
    case DType::f32:
      return sketch_rows_of<V, F32Row<V>>(a);
    case DType::f16:
      return sketch_rows_of<V, F16Row<V>>(a);
    case DType::bf16:
      return sketch_rows_of<V, Bf16Row<V>>(a);
    default:
      return;  // refused by ops/linear.cc
  }
}

}  // namespace bitnet::cpu
