// SPDX-License-Identifier: MIT OR Apache-2.0
// Reductions of doubles, in the order of ops/reduce_ops.h, and of integers.
#include <cmath>
#include <vector>

#include "bitnet/backend/cpu/plain_types.h"
#include "bitnet/backend/cpu/reduce_op.h"
#include "bitnet/backend/cpu/strided.h"

namespace bitnet::cpu {
namespace {

template <class T>
struct Elements {
  const std::byte* first;
  std::int64_t count, step;
  T operator[](std::int64_t k) const { return value_at<T>(first + k * step); }
};

using Step = double (*)(double, double);

double added(double a, double b) { return a + b; }

// One level: the totals of the pieces of count elements.
template <class Get>
std::vector<double> totals_of(std::int64_t count, double identity, const Get& get, Step step,
                              Step combine) {
  std::vector<double> totals;
  for (std::int64_t p = 0; p < count; p += kReducePiece) {
    double lane[16];
    std::fill_n(lane, 16, identity);
    const std::int64_t end = std::min(count, p + kReducePiece);
    for (std::int64_t k = p; k < end; ++k) lane[(k - p) % 16] = step(lane[(k - p) % 16], get(k));
    for (int width = 8; width > 0; width /= 2)
      for (int l = 0; l < width; ++l) lane[l] = combine(lane[l], lane[l + width]);
    totals.push_back(lane[0]);
  }
  return totals;
}

double total(const Elements<double>& x, Step step, Step combine, double identity, double center) {
  auto totals = totals_of(
      x.count, identity, [&](std::int64_t k) { return x[k] - center; }, step, combine);
  while (totals.size() > 1)
    totals = totals_of(
        static_cast<std::int64_t>(totals.size()), identity,
        [from = totals](std::int64_t k) { return from[static_cast<std::size_t>(k)]; }, combine,
        combine);
  return totals[0];
}

double sum(const Elements<double>& x) { return total(x, added, added, 0.0, 0.0); }

double squares(const Elements<double>& x, double center) {
  return total(
      x, [](double a, double b) { return std::fma(b, b, a); }, added, 0.0, center);
}

double absolutes(const Elements<double>& x) {
  return total(
      x, [](double a, double b) { return a + std::fabs(b); }, added, 0.0, 0.0);
}

double product(const Elements<double>& x) {
  const Step times = [](double a, double b) { return a * b; };
  return total(x, times, times, 1.0, 0.0);
}

double real_of(const ReduceArgs& args, const Elements<double>& x) {
  const auto n = static_cast<double>(args.count);
  if (x.count == 0) {
    const bool no_number = args.op == ReduceOp::mean || args.op == ReduceOp::variance;
    return args.op == ReduceOp::prod ? 1.0 : no_number ? 0.0 / n : 0.0;
  }
  switch (args.op) {
    case ReduceOp::mean:
      return sum(x) / n;
    case ReduceOp::prod:
      return product(x);
    case ReduceOp::norm1:
      return absolutes(x);
    case ReduceOp::norm2:
      return std::sqrt(squares(x, 0.0));
    case ReduceOp::variance:
      return squares(x, sum(x) / n) / (n - args.correction);
    default:
      return sum(x);
  }
}

// Index of the largest (smallest): the first of them, or the first NaN.
template <class T>
std::int64_t place(const Elements<T>& x, bool largest) {
  std::int64_t best = 0;
  for (std::int64_t k = 0; k < x.count; ++k) {
    const T a = x[k], b = x[best];
    if (a != a) return k;
    if constexpr (std::is_floating_point_v<T>)
      if (a == b && std::signbit(a) != std::signbit(b)) {
        if (std::signbit(b) == largest) best = k;
        continue;
      }
    if (largest ? a > b : a < b) best = k;
  }
  return best;
}

template <class T>
std::int64_t integer_of(const ReduceArgs& args, const Elements<T>& x) {
  std::uint64_t total = args.op == ReduceOp::prod ? 1 : 0;  // wraps
  for (std::int64_t k = 0; k < x.count; ++k) {
    const auto v = static_cast<std::uint64_t>(static_cast<std::int64_t>(x[k]));
    if (args.op == ReduceOp::prod)
      total *= v;
    else
      total += args.op == ReduceOp::norm1 && x[k] < T{0} ? 0 - v : v;
  }
  return static_cast<std::int64_t>(total);
}

template <class T>
void reduce_as(const ReduceArgs& args, ThreadPool& pool) {
  const NdLoop<2> loop(args.kept, {args.out.strides, args.x.strides});
  for_rows(pool, loop.elements(), 4 * args.count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto at = loop.element(i);
      const Elements<T> x{bytes(args.x) + at[1], args.count, args.step};
      std::byte* out = bytes(args.out) + at[0];
      const auto put = [&](auto y) { put_value(out, y); };
      // argmax of -0 and +0 is the first of the equal ones; max is +0.
      if (args.op == ReduceOp::argmax || args.op == ReduceOp::argmin) {
        const T extreme = x[place(x, args.op == ReduceOp::argmax)];
        std::int64_t k = 0;
        while (x[k] != extreme && (x[k] == x[k] || extreme == extreme)) ++k;
        put(k);
      } else if (args.op == ReduceOp::max || args.op == ReduceOp::min) {
        put(x[place(x, args.op == ReduceOp::max)]);
      } else if constexpr (std::is_same_v<T, double>) {
        put(real_of(args, x));
      } else {
        put(integer_of(args, x));
      }
    }
  });
}

}  // namespace

void plain_reduce(const ReduceArgs& args, ThreadPool& pool) {
  with_plain_type(args.x.dtype, [&](auto zero) { reduce_as<decltype(zero)>(args, pool); });
}

}  // namespace bitnet::cpu
