// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of writing a KV cache over a vector type (simd/).
#pragma once

#include <type_traits>

#include "bitnet/backend/cpu/kernels/kv_write/kv_write.h"
#include "bitnet/backend/cpu/kernels/quantize/quantize_impl.h"
#include "bitnet/backend/cpu/simd/min_max.h"

namespace bitnet::cpu {

template <class V>
static inline V take_numbers(const float* x, std::int64_t left) {
  return left >= 16 ? V::load(x) : V::load_partial(x, static_cast<int>(left));
}

// max_k |x[k]|, NaN where one is: it would vanish from the integers, and must not from the scale.
template <class V>
static inline float abs_max_or_nan(const float* x, std::int64_t dim) {
  V most = V::zero();
  for (std::int64_t k = 0; k < dim; k += 16) {
    const V v = take_numbers<V>(x + k, dim - k);
    most = maximum(most, V::max(v, -v));
  }
  float lane[16];
  most.store(lane);
  float m = lane[0];
  for (int i = 1; i < 16; ++i) m = lane[i] > m || lane[i] != lane[i] ? lane[i] : m;
  return m;
}

/// Rounds x[dim] to numbers of type T, kStep apart from `to` on; *scale is written for int8.
template <class V, class T, std::int64_t kStep>
static inline void write_position(const float* x, T* to, float* scale, std::int64_t dim) {
  V factor = V::zero();
  if constexpr (std::is_same_v<T, std::int8_t>) {
    const float most = abs_max_or_nan<V>(x, dim), a = most < 1e-30f ? 1e-30f : most;
    *scale = a / 127.0f;
    factor = V::set1(127.0f / a);
  }
  for (std::int64_t k = 0; k < dim; k += 16) {
    const V v = take_numbers<V>(x + k, dim - k);
    T numbers[16];
    if constexpr (std::is_same_v<T, float>)
      v.store(numbers);
    else if constexpr (std::is_same_v<T, std::uint16_t>)
      v.store_bf16(numbers);
    else
      quantize16(v, factor, numbers);
    const std::int64_t count = dim - k < 16 ? dim - k : 16;
    for (std::int64_t i = 0; i < count; ++i) to[(k + i) * kStep] = numbers[i];
  }
}

template <class V, class T>
static inline void write_heads(const KvWriteArgs& a) {
  const std::int64_t head_bytes = kv_head_bytes(a.type, a.capacity, a.dim);
  for (std::int64_t h = 0; h < a.kv_heads; ++h) {
    T* keys = reinterpret_cast<T*>(static_cast<std::byte*>(a.keys) + h * head_bytes);
    T* values = reinterpret_cast<T*>(static_cast<std::byte*>(a.values) + h * head_bytes);
    // Behind the numbers; used for int8 alone.
    auto* key_scales = reinterpret_cast<float*>(keys + a.capacity * a.dim);
    auto* value_scales = reinterpret_cast<float*>(values + a.capacity * a.dim);
    for (std::int64_t t = 0; t < a.tokens; ++t) {
      const std::int64_t p = a.first_position + t;
      write_position<V, T, 16>(a.k + t * a.k_stride + h * a.dim,
                               keys + p / 16 * (a.dim * 16) + p % 16, key_scales + p, a.dim);
      write_position<V, T, 1>(a.v + t * a.v_stride + h * a.dim, values + p * a.dim,
                              value_scales + p, a.dim);
    }
  }
}

template <class V>
static inline void kv_write_heads(const KvWriteArgs& a) {
  switch (a.type) {
    case KvType::f32:
      return write_heads<V, float>(a);
    case KvType::bf16:
      return write_heads<V, std::uint16_t>(a);
    case KvType::int8:
      return write_heads<V, std::int8_t>(a);
  }
}

}  // namespace bitnet::cpu
