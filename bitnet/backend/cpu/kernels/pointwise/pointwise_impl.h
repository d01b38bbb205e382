// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the pointwise kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"
#include "bitnet/backend/cpu/simd/math.h"
#include "bitnet/backend/cpu/simd/min_max.h"

namespace bitnet::cpu {

// 16 elements of a run: one behind the other or one repeated.
template <class V>
struct Source {
  const float* p;
  int step;

  V at(std::int64_t k) const { return step ? V::load(p + k) : V::set1(*p); }
  V tail(std::int64_t k, int n) const { return step ? V::load_partial(p + k, n) : V::set1(*p); }
};

template <class V, class F>
static inline void map1(const UnaryRun& r, const F& f) {
  std::int64_t k = 0;
  for (; k + 16 <= r.count; k += 16) f(V::load(r.x + k)).store(r.out + k);
  if (k == r.count) return;
  const int n = static_cast<int>(r.count - k);
  f(V::load_partial(r.x + k, n)).store_partial(r.out + k, n);
}

// The steps are looked at once: GCC does not take the branch out of the loop.
template <class V, class F>
static inline void map2(const BinaryRun& r, const F& f) {
  const Source<V> a{r.a, r.a_step}, b{r.b, r.b_step};
  std::int64_t k = 0;
  if (r.a_step && r.b_step) {
    for (; k + 16 <= r.count; k += 16) f(V::load(r.a + k), V::load(r.b + k)).store(r.out + k);
  } else {
    for (; k + 16 <= r.count; k += 16) f(a.at(k), b.at(k)).store(r.out + k);
  }
  if (k == r.count) return;
  const int n = static_cast<int>(r.count - k);
  f(a.tail(k, n), b.tail(k, n)).store_partial(r.out + k, n);
}

// NaN stays.
template <class V>
static inline V relu(V x) {
  return V::max(V::zero(), x);
}

template <class V>
static inline void unary_run(const UnaryRun& r) {
  const V one = V::set1(1.0f), p0 = V::set1(r.p0), p1 = V::set1(r.p1);
  switch (r.op) {
    case UnaryOp::neg:
      return map1<V>(r, [](V x) { return -x; });
    case UnaryOp::abs:
      return map1<V>(r, [](V x) { return abs(x); });
    case UnaryOp::square:
      return map1<V>(r, [](V x) { return x * x; });
    case UnaryOp::reciprocal:
      return map1<V>(r, [&](V x) { return one / x; });
    case UnaryOp::sqrt:
      return map1<V>(r, [](V x) { return root(x); });
    case UnaryOp::rsqrt:
      return map1<V>(r, [&](V x) { return one / root(x); });
    case UnaryOp::exp:
      return map1<V>(r, [](V x) { return exp(x); });
    case UnaryOp::log:
      return map1<V>(r, [](V x) { return log(x); });
    case UnaryOp::relu:
      return map1<V>(r, [](V x) { return relu(x); });
    case UnaryOp::relu2:
      return map1<V>(r, [](V x) { return relu(x) * relu(x); });
    case UnaryOp::leaky_relu:
      return map1<V>(r, [&](V x) { return V::select(V::less(x, V::zero()), p0 * x, x); });
    case UnaryOp::sigmoid:
      return map1<V>(r, [](V x) { return sigmoid(x); });
    case UnaryOp::silu:
      return map1<V>(r, [](V x) { return product(x, sigmoid(x)); });
    case UnaryOp::tanh:
      return map1<V>(r, [](V x) { return tanh(x); });
    case UnaryOp::gelu:
      return map1<V>(r, [](V x) { return gelu(x); });
    case UnaryOp::gelu_tanh:
      return map1<V>(r, [](V x) { return gelu_tanh(x); });
    case UnaryOp::clamp:
      return map1<V>(r, [&](V x) { return V::min(p1, V::max(p0, x)); });
  }
}

template <class V>
static inline void binary_run(const BinaryRun& r) {
  const V zero = V::zero(), one = V::set1(1.0f), half = V::set1(0.5f);
  const V p0 = V::set1(r.p0), p1 = V::set1(r.p1);
  switch (r.op) {
    case BinaryOp::add:
      return map2<V>(r, [](V a, V b) { return a + b; });
    case BinaryOp::sub:
      return map2<V>(r, [](V a, V b) { return a - b; });
    case BinaryOp::mul:
      return map2<V>(r, [](V a, V b) { return product(a, b); });
    case BinaryOp::div:
      return map2<V>(r, [](V a, V b) { return quotient(a, b); });
    case BinaryOp::min:
      return map2<V>(r, [](V a, V b) { return minimum(a, b); });
    case BinaryOp::max:
      return map2<V>(r, [](V a, V b) { return maximum(a, b); });
    case BinaryOp::pow:
      return map2<V>(r, [](V a, V b) { return pow(a, b); });
    case BinaryOp::abs_grad:
      return map2<V>(r, [&](V x, V g) {
        return g * V::select(V::equal(x, zero), zero, x + with_sign(one, x) - x);
      });
    case BinaryOp::square_grad:
      return map2<V>(r, [](V x, V g) { return g * (x + x); });
    case BinaryOp::reciprocal_grad:
      return map2<V>(r, [&](V x, V g) { return -g * ((one / x) * (one / x)); });
    case BinaryOp::sqrt_grad:
      return map2<V>(r, [&](V x, V g) { return g * (half / V::sqrt(x)); });
    case BinaryOp::rsqrt_grad:
      return map2<V>(r, [&](V x, V g) { return -g * (half / (x * V::sqrt(x))); });
    case BinaryOp::exp_grad:
      return map2<V>(r, [](V x, V g) { return g * exp(x); });
    case BinaryOp::log_grad:
      return map2<V>(r, [](V x, V g) { return g / x; });
    case BinaryOp::relu_grad:
      return map2<V>(r, [&](V x, V g) { return V::select(V::less(zero, x), g, zero * x); });
    case BinaryOp::relu2_grad:
      return map2<V>(r, [](V x, V g) { return g * (relu(x) + relu(x)); });
    case BinaryOp::leaky_relu_grad:
      return map2<V>(r, [&](V x, V g) { return V::select(V::less(x, zero), p0 * g, g); });
    case BinaryOp::sigmoid_grad:
      return map2<V>(r, [&](V x, V g) {
        V s, complement;
        sigmoids(x, &s, &complement);
        return g * (s * complement);
      });
    case BinaryOp::silu_grad:
      return map2<V>(r, [](V x, V g) { return g * silu_slope(x); });
    case BinaryOp::tanh_grad:
      return map2<V>(r, [](V x, V g) { return g * tanh_slope(x); });
    case BinaryOp::gelu_grad:
      return map2<V>(r, [](V x, V g) { return g * gelu_slope(x); });
    case BinaryOp::gelu_tanh_grad:
      return map2<V>(r, [](V x, V g) { return g * gelu_tanh_slope(x); });
    case BinaryOp::clamp_grad:
      return map2<V>(r, [&](V x, V g) {
        return V::select(V::less(x, p0) | V::less(p1, x), zero, V::select(V::equal(x, x), g, x));
      });
  }
}

template <class V, class F>
static inline void compare_all(const CompareRun& r, const F& f) {
  const Source<V> a{r.a, r.a_step}, b{r.b, r.b_step};
  std::int64_t k = 0;
  for (; k + 16 <= r.count; k += 16) f(a.at(k), b.at(k)).store(r.out + k);
  if (k == r.count) return;
  const int n = static_cast<int>(r.count - k);
  std::uint8_t last[16];
  f(a.tail(k, n), b.tail(k, n)).store(last);
  for (int i = 0; i < n; ++i) r.out[k + i] = last[i];
}

template <class V>
static inline void compare_run(const CompareRun& r) {
  switch (r.op) {
    case CompareOp::eq:
      return compare_all<V>(r, [](V a, V b) { return V::equal(a, b); });
    case CompareOp::ne:
      return compare_all<V>(r, [](V a, V b) { return !V::equal(a, b); });
    case CompareOp::lt:
      return compare_all<V>(r, [](V a, V b) { return V::less(a, b); });
    case CompareOp::le:
      return compare_all<V>(r, [](V a, V b) { return V::less(a, b) | V::equal(a, b); });
    case CompareOp::gt:
      return compare_all<V>(r, [](V a, V b) { return V::less(b, a); });
    case CompareOp::ge:
      return compare_all<V>(r, [](V a, V b) { return V::less(b, a) | V::equal(a, b); });
  }
}

template <class V>
static inline void where_run(const WhereRun& r) {
  const Source<V> a{r.a, r.a_step}, b{r.b, r.b_step};
  std::int64_t k = 0;
  for (; k + 16 <= r.count; k += 16)
    V::select(V::Mask::load(r.condition + k), a.at(k), b.at(k)).store(r.out + k);
  if (k == r.count) return;
  const int n = static_cast<int>(r.count - k);
  std::uint8_t last[16] = {};
  for (int i = 0; i < n; ++i) last[i] = r.condition[k + i];
  V::select(V::Mask::load(last), a.tail(k, n), b.tail(k, n)).store_partial(r.out + k, n);
}

// Runs of 16 elements of `from_bytes` and `to_bytes`; the last goes by way of buffers.
template <class Step>
static inline void convert_all(const ConvertRun& r, int from_bytes, int to_bytes,
                               const Step& step) {
  const auto* from = static_cast<const unsigned char*>(r.from);
  auto* to = static_cast<unsigned char*>(r.to);
  std::int64_t k = 0;
  for (; k + 16 <= r.count; k += 16) step(from + k * from_bytes, to + k * to_bytes);
  if (k == r.count) return;
  const auto n = static_cast<std::size_t>(r.count - k);
  unsigned char in[64] = {}, out[64];
  __builtin_memcpy(in, from + k * from_bytes, n * static_cast<std::size_t>(from_bytes));
  step(in, out);
  __builtin_memcpy(to + k * to_bytes, out, n * static_cast<std::size_t>(to_bytes));
}

template <class V>
static inline void convert_run(const ConvertRun& r) {
  const auto as_floats = [](void* p) { return static_cast<float*>(p); };
  if (r.to_type == DType::bf16)
    return convert_all(r, 4, 2, [](const void* x, void* y) { V::load(x).store_bf16(y); });
  if (r.to_type == DType::f16)
    return convert_all(r, 4, 2, [](const void* x, void* y) { V::load(x).store_f16(y); });
  if (r.from_type == DType::bf16)
    return convert_all(r, 2, 4,
                       [&](const void* x, void* y) { V::load_bf16(x).store(as_floats(y)); });
  if (r.from_type == DType::f16)
    return convert_all(r, 2, 4,
                       [&](const void* x, void* y) { V::load_f16(x).store(as_floats(y)); });
  if (r.from_type == DType::i8)
    return convert_all(r, 1, 4, [&](const void* x, void* y) { V::load_i8(x).store(as_floats(y)); });
  convert_all(r, 4, 4, [&](const void* x, void* y) { V::load(x).store(as_floats(y)); });
}

// Vectors pass through memory into and out of functions that GCC 12 does not inline (pow and
// tanh_grad with AVX2: twice and three times the time). Of the reference this would take it 40 s.
template <class V>
[[gnu::flatten]] static inline void flat_unary_run(const UnaryRun& r) {
  unary_run<V>(r);
}
template <class V>
[[gnu::flatten]] static inline void flat_binary_run(const BinaryRun& r) {
  binary_run<V>(r);
}

template <class V, bool kFlat = true>
static inline PointwiseKernels pointwise_kernels_over() {
  return {[](const UnaryRun& r) noexcept {
            if constexpr (kFlat)
              flat_unary_run<V>(r);
            else
              unary_run<V>(r);
          },
          [](const BinaryRun& r) noexcept {
            if constexpr (kFlat)
              flat_binary_run<V>(r);
            else
              binary_run<V>(r);
          },
          [](const CompareRun& r) noexcept { compare_run<V>(r); },
          [](const WhereRun& r) noexcept { where_run<V>(r); },
          [](const ConvertRun& r) noexcept { convert_run<V>(r); }};
}

}  // namespace bitnet::cpu
