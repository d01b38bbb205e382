// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of reductions over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/reduce/reduce.h"
#include "bitnet/backend/cpu/simd/math.h"
#include "bitnet/backend/cpu/simd/min_max.h"

namespace bitnet::cpu {

// Floats that reading from memory is asked for before they are needed: 4 KB.
inline constexpr std::int64_t kAhead = 1024;

// Sums: lanes padded with x = `pad`, which changes no lane.
template <class V, class Step>
static inline V fold(const PieceRun& r, V acc, float pad, const Step& step) {
  std::int64_t k = 0;
  for (; k + 16 <= r.count; k += 16) {
    __builtin_prefetch(r.x + k + kAhead);
    acc = step(acc, V::load(r.x + k));
  }
  if (k == r.count) return acc;
  float last[16];
  for (int i = 0; i < 16; ++i) last[i] = k + i < r.count ? r.x[k + i] : pad;
  return step(acc, V::load(last));
}

// Maxima do not depend on the order: four chains, so that their latency does not count.
template <class V, class Step>
static inline float extreme(const PieceRun& r, const Step& step) {
  V acc[4] = {V::set1(r.x[0]), V::set1(r.x[0]), V::set1(r.x[0]), V::set1(r.x[0])};
  std::int64_t k = 0;
  for (; k + 64 <= r.count; k += 64)
    for (int i = 0; i < 4; ++i) acc[i] = step(acc[i], V::load(r.x + k + 16 * i));
  PieceRun rest = r;
  rest.x += k;
  rest.count -= k;
  acc[0] = fold(rest, step(step(acc[0], acc[1]), step(acc[2], acc[3])), r.x[0], step);
  float lane[16], shifted[16];
  for (int width = 8; width > 0; width /= 2) {
    acc[0].store(lane);
    for (int i = 0; i < 16; ++i) shifted[i] = lane[(i + width) % 16];
    acc[0] = step(acc[0], V::load(shifted));
  }
  acc[0].store(lane);
  return lane[0];
}

// The same in fewer steps an element where none is NaN and the extreme is not a zero; otherwise
// exactly. step: V::max or V::min; `flip` makes the extreme the largest lane.
template <class V, class Step, class Exact>
static inline float plain_extreme(const PieceRun& r, const Step& step, float flip,
                                  const Exact& exact) {
  const V start = V::set1(r.x[0]);
  V acc[4] = {start, start, start, start};
  auto numbers = V::equal(start, start);
  std::int64_t k = 0;
  for (; k + 64 <= r.count; k += 64)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const V x = V::load(r.x + k + 16 * i);
      __builtin_prefetch(r.x + k + 16 * i + kAhead);
      numbers = numbers & V::equal(x, x);
      acc[i] = step(x, acc[i]);
    }
  PieceRun rest = r;
  rest.x += k;
  rest.count -= k;
  acc[0] = fold(rest, step(step(acc[0], acc[1]), step(acc[2], acc[3])), r.x[0], [&](V a, V x) {
    numbers = numbers & V::equal(x, x);
    return step(x, a);
  });
  const float found = flip * (acc[0] * V::set1(flip)).max_lane();
  return numbers.all() && found != 0.0f ? found : extreme<V>(r, exact);
}

// By the tree that V::sum() adds with.
template <class V>
static inline float product_of_lanes(V v) {
  float a[16];
  v.store(a);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) a[i] *= a[i + width];
  return a[0];
}

template <class V>
static inline float piece_of(const PieceRun& r) {
  const V zero = V::zero(), center = V::set1(r.center);
  switch (r.op) {
    case PieceOp::sum:
      return fold(r, zero, 0.0f, [](V acc, V x) { return acc + x; }).sum();
    case PieceOp::sum_abs:
      return fold(r, zero, 0.0f, [](V acc, V x) { return acc + abs(x); }).sum();
    case PieceOp::sum_squares:
      return fold(r, zero, 0.0f, [](V acc, V x) { return V::fma(x, x, acc); }).sum();
    case PieceOp::sum_centered:
      return fold(r, zero, r.center,
                  [&](V acc, V x) { return V::fma(x - center, x - center, acc); })
          .sum();
    case PieceOp::prod:
      return product_of_lanes(fold(r, V::set1(1.0f), 1.0f, [](V acc, V x) { return acc * x; }));
    case PieceOp::max:
      return plain_extreme<V>(
          r, [](V a, V b) { return V::max(a, b); }, 1.0f, [](V a, V b) { return maximum(a, b); });
    case PieceOp::min:
      return plain_extreme<V>(
          r, [](V a, V b) { return V::min(a, b); }, -1.0f, [](V a, V b) { return minimum(a, b); });
  }
  return 0.0f;
}

template <class V, class Step>
static inline void columns_all(const ColumnsRun& r, const Step& step) {
  std::int64_t k = 0;
  if (r.rows == kLaneRows) {
    for (; k + 16 <= r.count; k += 16) {
      V acc = V::load(r.acc + k);
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < kLaneRows; ++i) {
        const float* x = r.x + i * r.x_step + k;
        // Rows of a large matrix lie pages apart, where the machine's prefetchers do not follow.
        __builtin_prefetch(x + r.ahead);
        acc = step(acc, V::load(x), k);
      }
      acc.store(r.acc + k);
    }
  } else {
    for (; k + 16 <= r.count; k += 16)
      step(V::load(r.acc + k), V::load(r.x + k), k).store(r.acc + k);
  }
  if (k == r.count) return;
  const int n = static_cast<int>(r.count - k);
  V acc = V::load_partial(r.acc + k, n);
  for (std::int64_t i = 0; i < r.rows; ++i)
    acc = step(acc, V::load_partial(r.x + i * r.x_step + k, n), k);
  acc.store_partial(r.acc + k, n);
}

template <class V>
static inline V center_at(const ColumnsRun& r, std::int64_t k) {
  return k + 16 <= r.count ? V::load(r.center + k)
                           : V::load_partial(r.center + k, static_cast<int>(r.count - k));
}

template <class V>
static inline void columns_of(const ColumnsRun& r) {
  switch (r.op) {
    case PieceOp::sum:
      return columns_all<V>(r, [](V acc, V x, std::int64_t) { return acc + x; });
    case PieceOp::sum_abs:
      return columns_all<V>(r, [](V acc, V x, std::int64_t) { return acc + abs(x); });
    case PieceOp::sum_squares:
      return columns_all<V>(r, [](V acc, V x, std::int64_t) { return V::fma(x, x, acc); });
    case PieceOp::sum_centered:
      return columns_all<V>(r, [&](V acc, V x, std::int64_t k) {
        const V d = x - center_at<V>(r, k);
        return V::fma(d, d, acc);
      });
    case PieceOp::prod:
      return columns_all<V>(r, [](V acc, V x, std::int64_t) { return acc * x; });
    case PieceOp::max:
      return columns_all<V>(r, [](V acc, V x, std::int64_t) { return maximum(acc, x); });
    case PieceOp::min:
      return columns_all<V>(r, [](V acc, V x, std::int64_t) { return minimum(acc, x); });
  }
}

template <class V>
static inline ReduceKernels reduce_kernels_over() {
  return {[](const PieceRun& r) noexcept { return piece_of<V>(r); },
          [](const ColumnsRun& r) noexcept { columns_of<V>(r); }};
}

}  // namespace bitnet::cpu
