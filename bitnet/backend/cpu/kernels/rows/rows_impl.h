// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of ops on whole rows over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/norm/norm_impl.h"
#include "bitnet/backend/cpu/kernels/rows/rows.h"
#include "bitnet/backend/cpu/simd/math.h"
#include "bitnet/backend/cpu/simd/min_max.h"
#include "bitnet/backend/cpu/simd/reduce.h"

namespace bitnet::cpu {

// Calls step(k, n) for vectors of n = 16 elements from k on, and once for the n that are left.
template <class Step>
static inline void for_vectors(std::int64_t cols, const Step& step) {
  std::int64_t k = 0;
  for (; k + 16 <= cols; k += 16) step(k, 16);
  if (k < cols) step(k, static_cast<int>(cols - k));
}

// Lanes beyond n are 0.
template <class V>
static inline V take(const float* p, std::int64_t k, int n) {
  return n == 16 ? V::load(p + k) : V::load_partial(p + k, n);
}

template <class V>
static inline void put(V v, float* p, std::int64_t k, int n) {
  if (n == 16)
    v.store(p + k);
  else
    v.store_partial(p + k, n);
}

// Weights: ones where there are none.
template <class V>
static inline V weight_at(const float* w, std::int64_t k, int n) {
  return w ? take<V>(w, k, n) : V::set1(1.0f);
}

// sum16 of f(k, n), whose lanes beyond n are 0, by acc = f(acc, k, n).
template <class V, class F>
static inline float sum16(std::int64_t cols, const F& f) {
  V acc = V::zero();
  for_vectors(cols, [&](std::int64_t k, int n) { acc = f(acc, k, n); });
  return acc.sum();
}

// NaN where one is.
template <class V>
static inline float row_max(const float* x, std::int64_t cols) {
  V most[4] = {V::set1(x[0]), V::set1(x[0]), V::set1(x[0]), V::set1(x[0])};
  std::int64_t k = 0;
  for (; k + 64 <= cols; k += 64)
    for (int i = 0; i < 4; ++i) most[i] = maximum(most[i], V::load(x + k + 16 * i));
  for (; k + 16 <= cols; k += 16) most[0] = maximum(most[0], V::load(x + k));
  float last[16];
  for (int i = 0; i < 16; ++i) last[i] = k + i < cols ? x[k + i] : x[0];
  V all = maximum(maximum(most[0], most[1]), maximum(most[2], most[3]));
  all = maximum(all, V::load(last));
  float lane[16];
  all.store(lane);
  float m = lane[0];
  for (int i = 1; i < 16; ++i) m = lane[i] > m || lane[i] != lane[i] ? lane[i] : m;
  return m;
}

// sum16 of exp(x - m); with `out` the exponentials are kept.
template <class V>
static inline float sum_of_exp(const float* x, std::int64_t cols, float m, float* out) {
  const V most = V::set1(m);
  return sum16<V>(cols, [&](V acc, std::int64_t k, int n) {
    const V e = exp_of_negative(take<V>(x, k, n) - most);
    if (out) put(e, out, k, n);
    if (n == 16) return acc + e;
    float lane[16];
    e.store(lane);
    return acc + V::load_partial(lane, n);
  });
}

template <class V>
static inline float log_of(float x) {
  float lane[16];
  log(V::set1(x)).store(lane);
  return lane[0];
}

template <class V>
static inline void softmax_row(const float* x, float* out, std::int64_t cols) {
  const float z = sum_of_exp<V>(x, cols, row_max<V>(x, cols), out);
  const V scale = V::set1(1.0f / z);
  for_vectors(cols, [&](std::int64_t k, int n) { put(take<V>(out, k, n) * scale, out, k, n); });
}

template <class V>
static inline void log_softmax_row(const float* x, float* out, std::int64_t cols) {
  const float m = row_max<V>(x, cols);
  const V most = V::set1(m), log_z = V::set1(log_of<V>(sum_of_exp<V>(x, cols, m, nullptr)));
  for_vectors(cols,
              [&](std::int64_t k, int n) { put((take<V>(x, k, n) - most) - log_z, out, k, n); });
}

template <class V>
static inline float row_mean(const float* x, std::int64_t cols) {
  return sum16<V>(cols, [&](V acc, std::int64_t k, int n) { return acc + take<V>(x, k, n); }) /
         static_cast<float>(cols);
}

// 1 / sqrt(sum16((x - mean)^2) / cols + eps)
template <class V>
static inline float inverse_deviation(const float* x, std::int64_t cols, float mean, float eps) {
  const V center = V::set1(mean);
  const float squares = sum16<V>(cols, [&](V acc, std::int64_t k, int n) {
    V c = take<V>(x, k, n) - center;
    if (n < 16) {
      float lane[16];
      c.store(lane);
      c = V::load_partial(lane, n);
    }
    return V::fma(c, c, acc);
  });
  return 1.0f / __builtin_sqrtf(squares / static_cast<float>(cols) + eps);
}

template <class V>
static inline void layer_norm_row(const RowArgs& a, const float* x, float* out) {
  const float mean = row_mean<V>(x, a.cols);
  const V center = V::set1(mean), r = V::set1(inverse_deviation<V>(x, a.cols, mean, a.eps));
  for_vectors(a.cols, [&](std::int64_t k, int n) {
    const V bias = a.bias ? take<V>(a.bias, k, n) : V::zero();
    put(V::fma((take<V>(x, k, n) - center) * r, weight_at<V>(a.weight, k, n), bias), out, k, n);
  });
}

template <class V>
static inline float inverse_rms(const RowArgs& a, const float* x) {
  return 1.0f /
         __builtin_sqrtf(sum16_of_squares<V>(x, a.cols) / static_cast<float>(a.cols) + a.eps);
}

template <class V>
static inline void softmax_grad_row(const float* y, const float* g, float* out, std::int64_t cols) {
  const V dot = V::set1(sum16<V>(cols, [&](V acc, std::int64_t k, int n) {
    return V::fma(take<V>(g, k, n), take<V>(y, k, n), acc);
  }));
  for_vectors(cols, [&](std::int64_t k, int n) {
    put(take<V>(y, k, n) * (take<V>(g, k, n) - dot), out, k, n);
  });
}

template <class V>
static inline void log_softmax_grad_row(const float* y, const float* g, float* out,
                                        std::int64_t cols) {
  const V sum =
      V::set1(sum16<V>(cols, [&](V acc, std::int64_t k, int n) { return acc + take<V>(g, k, n); }));
  for_vectors(cols, [&](std::int64_t k, int n) {
    put(take<V>(g, k, n) - exp(take<V>(y, k, n)) * sum, out, k, n);
  });
}

// Of both norms: center 0 and no mean of h for RMSNorm.
template <class V>
static inline void norm_grad_row(const RowArgs& a, const float* x, const float* g, float* out,
                                 float* extra, bool centered) {
  const float mean = centered ? row_mean<V>(x, a.cols) : 0.0f;
  const float inverse =
      centered ? inverse_deviation<V>(x, a.cols, mean, a.eps) : inverse_rms<V>(a, x);
  const V center = V::set1(mean), r = V::set1(inverse);
  const auto z_at = [&](std::int64_t k, int n) { return (take<V>(x, k, n) - center) * r; };
  const auto h_at = [&](std::int64_t k, int n) {
    return take<V>(g, k, n) * weight_at<V>(a.weight, k, n);  // 0 beyond n, as g is
  };
  const auto count = static_cast<float>(a.cols);
  const V of_hz =
      V::set1(sum16<V>(a.cols, [&](V acc, std::int64_t k,
                                   int n) { return V::fma(h_at(k, n), z_at(k, n), acc); }) /
              count);
  V of_h = V::zero();
  if (centered)
    of_h = V::set1(
        sum16<V>(a.cols, [&](V acc, std::int64_t k, int n) { return acc + h_at(k, n); }) / count);
  for_vectors(a.cols, [&](std::int64_t k, int n) {
    const V z = z_at(k, n);
    if (extra) put(take<V>(g, k, n) * z, extra, k, n);
    put(r * ((h_at(k, n) - of_h) - z * of_hz), out, k, n);
  });
}

template <class V>
static inline void cross_entropy_row(const float* x, std::int64_t target, float* out,
                                     std::int64_t cols) {
  if (target == kIgnoredTarget) {
    *out = 0.0f;
    return;
  }
  const float m = row_max<V>(x, cols);
  *out = (log_of<V>(sum_of_exp<V>(x, cols, m, nullptr)) + m) - x[target];
}

template <class V>
static inline void cross_entropy_grad_row(const float* x, std::int64_t target, float g, float* out,
                                          std::int64_t cols) {
  if (target == kIgnoredTarget) {
    for (std::int64_t k = 0; k < cols; ++k) out[k] = 0.0f;
    return;
  }
  softmax_row<V>(x, out, cols);
  out[target] -= 1.0f;
  for_vectors(cols,
              [&](std::int64_t k, int n) { put(take<V>(out, k, n) * V::set1(g), out, k, n); });
}

template <class V>
static inline void one_row(const RowArgs& a, std::int64_t t) {
  const float* x = a.x + t * a.x_stride;
  const float* g = a.g ? a.g + t * a.g_stride : nullptr;
  float* out = a.out + t * a.out_stride;
  float* extra = a.extra ? a.extra + t * a.cols : nullptr;
  switch (a.op) {
    case RowOp::softmax:
      return softmax_row<V>(x, out, a.cols);
    case RowOp::log_softmax:
      return log_softmax_row<V>(x, out, a.cols);
    case RowOp::layer_norm:
      return layer_norm_row<V>(a, x, out);
    case RowOp::rms_norm:
      return rms_norm_rows<V>({x, 0, a.weight, out, 0, 1, a.cols, a.eps, a.cols});
    case RowOp::softmax_grad:
      return softmax_grad_row<V>(x, g, out, a.cols);
    case RowOp::log_softmax_grad:
      return log_softmax_grad_row<V>(x, g, out, a.cols);
    case RowOp::layer_norm_grad:
      return norm_grad_row<V>(a, x, g, out, extra, true);
    case RowOp::rms_norm_grad:
      return norm_grad_row<V>(a, x, g, out, extra, false);
    case RowOp::cross_entropy:
      return cross_entropy_row<V>(x, a.targets[t], out, a.cols);
    case RowOp::cross_entropy_grad:
      return cross_entropy_grad_row<V>(x, a.targets[t], *g, out, a.cols);
  }
}

template <class V>
static inline void all_rows(const RowArgs& a) {
  for (std::int64_t t = 0; t < a.rows; ++t) one_row<V>(a, t);
}

}  // namespace bitnet::cpu
