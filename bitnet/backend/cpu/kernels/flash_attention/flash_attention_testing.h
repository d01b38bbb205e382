// SPDX-License-Identifier: MIT OR Apache-2.0
// What the tests of attention and of its gradient share: random cases whose operands have gaps
// between their rows, and attention in double.
#pragma once

#include <algorithm>
#include <ostream>

#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {

/// A shape, and what is seen.
struct FlashShape {
  std::int64_t batch, heads, kv_heads, queries, keys, dim, value_dim;
  std::int64_t window = 0;
  bool causal = false;

  FlashAttentionArgs args() const {
    FlashAttentionArgs a{};
    a.batch = batch, a.heads = heads, a.kv_heads = kv_heads, a.queries = queries, a.keys = keys;
    a.dim = dim, a.value_dim = value_dim, a.window = window, a.causal = causal;
    a.scale = 1 / std::sqrt(static_cast<float>(dim));
    return a;
  }
  bool sees(std::int64_t t, std::int64_t j) const {
    const std::int64_t p = t + keys - queries;
    return !causal || (j <= p && (window == 0 || j > p - window));
  }
};

inline std::ostream& operator<<(std::ostream& to, const FlashShape& s) {
  return to << "batch " << s.batch << " heads " << s.heads << "/" << s.kv_heads << " queries "
            << s.queries << " keys " << s.keys << " dim " << s.dim << "/" << s.value_dim
            << (s.causal ? " causal " : " full ") << "window " << s.window;
}

inline std::int64_t pick(std::mt19937& rng, std::initializer_list<std::int64_t> from) {
  return from.begin()[rng() % from.size()];
}

/// Sizes around the borders of vectors (16) and of blocks (64).
inline FlashShape random_shape(std::mt19937& rng) {
  const std::int64_t kv = pick(rng, {1, 2}), group = 1 + rng() % 8;
  FlashShape s{pick(rng, {1, 1, 2}),
               kv * group,
               kv,
               pick(rng, {1, 2, 5, 15, 17, 33}),
               pick(rng, {1, 15, 16, 17, 63, 64, 65, 130}),
               pick(rng, {1, 3, 14, 16, 20, 32, 50}),
               pick(rng, {1, 7, 16, 18, 32, 48}),
               0,
               rng() % 3 != 0};
  if (s.causal && rng() % 2 == 0) s.window = pick(rng, {1, 3, 16, 40, 64, 100});
  return s;
}

/// [batch][heads][rows][columns] with gaps after rows and heads, ending with the last element. The
/// gaps are NaN and stay as they are.
class FlashTensor {
 public:
  FlashTensor(std::int64_t batch, std::int64_t heads, std::int64_t rows, std::int64_t columns,
              std::int64_t gap)
      : columns_(columns), dims_{batch, heads, rows} {
    row_ = columns + gap;
    head_ = rows * row_ + 2 * gap;
    batch_ = heads * head_;
    values_.assign(usize((batch - 1) * batch_ + (heads - 1) * head_ + (rows - 1) * row_ + columns),
                   NAN);
  }
  FlashTensor& fill(const std::vector<float>& values) {
    std::size_t i = 0;
    for (std::int64_t b = 0; b < dims_[0]; ++b)
      for (std::int64_t h = 0; h < dims_[1]; ++h)
        for (std::int64_t r = 0; r < dims_[2]; ++r)
          for (std::int64_t c = 0; c < columns_; ++c) at(b, h, r, c) = values[i++];
    return *this;
  }
  FlashTensor& randomize(std::mt19937& rng) { return fill(random_floats(rng, size())); }

  std::int64_t size() const { return dims_[0] * dims_[1] * dims_[2] * columns_; }
  float& at(std::int64_t b, std::int64_t h, std::int64_t r, std::int64_t c) {
    return values_[usize(b * batch_ + h * head_ + r * row_ + c)];
  }
  float at(std::int64_t b, std::int64_t h, std::int64_t r, std::int64_t c) const {
    return values_[usize(b * batch_ + h * head_ + r * row_ + c)];
  }
  const float* row(std::int64_t b, std::int64_t h, std::int64_t r) const {
    return &values_[usize(b * batch_ + h * head_ + r * row_)];
  }
  std::vector<float>& values() { return values_; }
  const std::vector<float>& values() const { return values_; }
  template <class T>
  HeadRows<T> rows(T* data) const {
    return {data, batch_, head_, row_};
  }

 private:
  std::int64_t columns_, dims_[3], row_, head_, batch_;
  std::vector<float> values_;
};

struct FlashCase {
  FlashShape shape;
  FlashTensor q, k, v, out, logsumexp;

  FlashCase(std::mt19937& rng, const FlashShape& s, std::int64_t gap = 3)
      : shape(s),
        q(s.batch, s.heads, s.queries, s.dim, gap),
        k(s.batch, s.kv_heads, s.keys, s.dim, gap),
        v(s.batch, s.kv_heads, s.keys, s.value_dim, gap),
        out(s.batch, s.heads, s.queries, s.value_dim, gap),
        logsumexp(s.batch, s.heads, s.queries, 1, 0) {
    q.randomize(rng), k.randomize(rng), v.randomize(rng);
  }
};

/// Attention of one row in double: weights of all keys and the log of their sum.
struct DoubleRow {
  std::vector<double> p;
  double logsumexp = -INFINITY;

  DoubleRow(const FlashCase& c, std::int64_t b, std::int64_t h, std::int64_t t)
      : p(usize(c.shape.keys)) {
    const std::int64_t kv = h / (c.shape.heads / c.shape.kv_heads);
    double most = -INFINITY, sum = 0;
    for (std::int64_t j = 0; j < c.shape.keys; ++j) {
      double s = 0;
      for (std::int64_t d = 0; d < c.shape.dim; ++d)
        s += double{c.q.at(b, h, t, d)} * c.k.at(b, kv, j, d);
      p[usize(j)] = c.shape.sees(t, j) ? s * double{c.shape.args().scale} : -INFINITY;
      most = std::max(most, p[usize(j)]);
    }
    if (most == -INFINITY) {
      std::fill(p.begin(), p.end(), 0.0);
      return;
    }
    for (double& x : p) sum += x = std::exp(x - most);
    for (double& x : p) x /= sum;
    logsumexp = most + std::log(sum);
  }
};

}  // namespace bitnet::cpu
