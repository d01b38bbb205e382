// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/reduce.h"

namespace bitnet::ops {
namespace {

constexpr ReduceOp kFloatOps[] = {
    ReduceOp::sum,    ReduceOp::mean,   ReduceOp::prod,  ReduceOp::max,   ReduceOp::min,
    ReduceOp::argmax, ReduceOp::argmin, ReduceOp::norm1, ReduceOp::norm2, ReduceOp::variance};

// The definition of ops/reduce_ops.h, one element after another, in float or double.
template <class T>
T in_order(std::vector<T> x, T identity, T (*step)(T, T), T (*combine)(T, T)) {
  do {
    std::vector<T> totals;
    for (std::size_t p = 0; p < x.size(); p += 2048) {
      T lane[16];
      std::fill_n(lane, 16, identity);
      for (std::size_t k = p; k < std::min(x.size(), p + 2048); ++k)
        lane[(k - p) % 16] = step(lane[(k - p) % 16], x[k]);
      for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; ++l) lane[l] = combine(lane[l], lane[l + width]);
      totals.push_back(lane[0]);
    }
    x = totals;
    step = combine;
  } while (x.size() > 1);
  return x[0];
}

template <class T>
double defined(ReduceOp op, const Doubles& values, double correction) {
  std::vector<T> x;
  for (const double v : values) x.push_back(static_cast<T>(v));
  using Step = T (*)(T, T);
  const Step add = [](T a, T b) { return a + b; };
  const T n = static_cast<T>(x.size());
  const auto extreme = [&](bool largest) {
    std::size_t best = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (std::isnan(x[k])) return k;
      if (largest ? x[k] > x[best] : x[k] < x[best]) best = k;
    }
    return best;
  };
  switch (op) {
    case ReduceOp::sum:
      return in_order<T>(x, 0, add, add);
    case ReduceOp::mean:
      return in_order<T>(x, 0, add, add) / n;
    case ReduceOp::prod:
      return in_order<T>(
          x, 1, [](T a, T b) { return a * b; }, [](T a, T b) { return a * b; });
    case ReduceOp::norm1:
      return in_order<T>(
          x, 0, [](T a, T b) { return a + std::fabs(b); }, add);
    case ReduceOp::norm2:
      return std::sqrt(in_order<T>(
          x, 0, [](T a, T b) { return std::fma(b, b, a); }, add));
    case ReduceOp::variance: {
      const T mean = in_order<T>(x, 0, add, add) / n;
      for (T& v : x) v -= mean;
      return in_order<T>(
                 x, 0, [](T a, T b) { return std::fma(b, b, a); }, add) /
             static_cast<T>(double(x.size()) - correction);
    }
    case ReduceOp::max:
      return x[extreme(true)];
    case ReduceOp::min:
      return x[extreme(false)];
    case ReduceOp::argmax:
      return double(extreme(true));
    case ReduceOp::argmin:
      return double(extreme(false));
  }
  return 0;
}

// The elements along the reduced axes, for each index of the others, in row-major order.
std::vector<Doubles> gathered(const Doubles& v, const Shape& shape, unsigned mask) {
  std::int64_t kept = 1;
  for (int i = 0; i < shape.rank(); ++i)
    if (!((mask >> i) & 1)) kept *= shape[i];
  std::vector<Doubles> rows(static_cast<std::size_t>(kept));
  for (std::size_t flat = 0; flat < v.size(); ++flat) {
    std::int64_t left = std::int64_t(flat), row = 0, scale = 1;
    for (int i = shape.rank(); i-- > 0; left /= shape[i])
      if (!((mask >> i) & 1)) {
        row += left % shape[i] * scale;
        scale *= shape[i];
      }
    rows[std::size_t(row)].push_back(v[flat]);
  }
  return rows;
}

class ReduceOpTest : public ::testing::Test {
 protected:
  Tensor run(ReduceOp op, const TensorView& x, unsigned mask, int threads, double correction = 0) {
    Runtime runtime(threads);
    std::vector<int> axes;
    std::vector<std::int64_t> left;
    for (int i = 0; i < x.rank(); ++i)
      if ((mask >> i) & 1)
        axes.push_back(i - x.rank());
      else
        left.push_back(x.dim(i));
    const bool place = op == ReduceOp::argmax || op == ReduceOp::argmin;
    Tensor out = Tensor::allocate(place ? DType::i64 : x.dtype(), Shape(left));
    reduce(runtime.context(), op, x, axes, out.mutable_view(), correction);
    return out;
  }
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
};

TEST_F(ReduceOpTest, AnyAxesStridesAndThreadsGiveTheDefinition) {
  for (const Shape& shape :
       {Shape{3, 5, 7}, Shape{2, 3, 40, 2}, Shape{9}, Shape{1, 4, 1}, Shape{600, 18}})
    for (unsigned mask = 1; mask < (1u << shape.rank()); ++mask) {
      Doubles v = normal_doubles(rng_, shape.num_elements());
      for (double& x : v) x = double(float(x));
      const Tensor t = tensor_of(v, shape), d = tensor_of(v, shape, DType::f64);
      for (const ReduceOp op : kFloatOps) {
        Doubles floats, doubles;
        for (const Doubles& row : gathered(v, shape, mask)) {
          floats.push_back(defined<float>(op, row, 1));
          doubles.push_back(defined<double>(op, row, 1));
        }
        for (int kind = 0; kind < 4; ++kind) {
          const Tensor got = run(op, Awkward(t, kind).view, mask, 1 + kind, 1);
          // NaN: a variance of one element with correction 1
          if (op == ReduceOp::variance && std::isnan(floats[0])) continue;
          ASSERT_EQ(values(got), floats) << int(op) << " " << mask << " " << kind;
        }
        if (op == ReduceOp::variance && std::isnan(doubles[0])) continue;
        ASSERT_EQ(values(run(op, d, mask, 2, 1)), doubles) << int(op);
      }
    }
}

TEST_F(ReduceOpTest, LongRowsAndColumnsGiveTheDefinition) {
  const std::pair<Shape, unsigned> cases[] = {{{5000}, 1},      {{2, 4100}, 2},  {{4100, 9}, 1},
                                              {{4100, 700}, 1}, {{30, 5000}, 2}, {{5000, 3}, 3},
                                              {{130, 4500}, 1}};
  for (const auto& [shape, mask] : cases) {
    Doubles v = normal_doubles(rng_, shape.num_elements());
    for (double& x : v) x = double(float(x));
    const Tensor t = tensor_of(v, shape);
    for (const ReduceOp op : kFloatOps) {
      Doubles expected;
      for (const Doubles& row : gathered(v, shape, mask))
        expected.push_back(defined<float>(op, row, 0));
      for (const int threads : {1, 2, 3, 7})
        ASSERT_EQ(values(run(op, t, mask, threads)), expected) << int(op) << " " << threads;
    }
  }
  // More than 2048 pieces: totals of totals.
  const std::int64_t n = 2048 * 2048 + 17;
  Doubles v = normal_doubles(rng_, n);
  for (double& x : v) x = double(float(x));
  const Tensor t = tensor_of(v, {n});
  EXPECT_EQ(values(run(ReduceOp::sum, t, 1, 2)), Doubles{defined<float>(ReduceOp::sum, v, 0)});
  EXPECT_EQ(values(run(ReduceOp::norm2, t, 1, 1)), Doubles{defined<float>(ReduceOp::norm2, v, 0)});
}

TEST_F(ReduceOpTest, HalvesAreAddedAsFloatsAndRoundedOnce) {
  for (const DType dtype : {DType::f16, DType::bf16})
    for (const unsigned mask : {1u, 2u}) {
      const Tensor t = tensor_of(normal_doubles(rng_, 300 * 20), {300, 20}, dtype);
      Doubles expected;
      for (const Doubles& row : gathered(values(t), t.shape(), mask))
        expected.push_back(defined<float>(ReduceOp::sum, row, 0));
      const Shape left = mask == 1 ? Shape{20} : Shape{300};
      EXPECT_EQ(values(run(ReduceOp::sum, t, mask, 2)), values(tensor_of(expected, left, dtype)));
    }
}

TEST_F(ReduceOpTest, NaNWinsAndTheFirstOfEqualsIsThePlace) {
  const Tensor t = tensor_of({1, NAN, 3, NAN, 3, 1, 3, -0.0, 0.0, -0.0, 0.0, -0.0}, {3, 4});
  EXPECT_TRUE(std::isnan(values(run(ReduceOp::max, t, 2, 1))[0]));
  EXPECT_EQ(values(run(ReduceOp::argmax, t, 2, 1)), (Doubles{1, 0, 0}));
  EXPECT_EQ(values(run(ReduceOp::argmin, t, 2, 1)), (Doubles{1, 3, 0}));
  EXPECT_FALSE(std::signbit(values(run(ReduceOp::max, t, 2, 1))[2]));
  EXPECT_TRUE(std::signbit(values(run(ReduceOp::min, t, 2, 1))[2]));
  EXPECT_TRUE(std::isnan(values(run(ReduceOp::max, t, 1, 1))[1]));
  const Tensor d = cast(c_, t, DType::f64);
  EXPECT_EQ(values(run(ReduceOp::argmax, d, 2, 1)), (Doubles{1, 0, 0}));
  EXPECT_EQ(values(run(ReduceOp::argmin, d, 2, 1)), (Doubles{1, 3, 0}));
  const Tensor infinite = tensor_of({INFINITY, -INFINITY, 1}, {3});
  EXPECT_TRUE(std::isnan(values(run(ReduceOp::sum, infinite, 1, 1))[0]));
}

TEST_F(ReduceOpTest, IntegersAreExactInSixtyFourBits) {
  Doubles v;
  for (int i = 0; i < 5000; ++i) v.push_back(double(rng_() % 256) - 128);
  const Tensor t = tensor_of(v, {50, 100}, DType::i8);
  double sum = 0, absolute = 0;
  for (const double x : v) sum += x, absolute += std::fabs(x);
  EXPECT_EQ(values(reduce(c_, ReduceOp::sum, t)), Doubles{sum});
  EXPECT_EQ(values(reduce(c_, ReduceOp::norm1, t)), Doubles{absolute});
  EXPECT_EQ(reduce(c_, ReduceOp::sum, t, {0}).dtype(), DType::i64);
  EXPECT_EQ(reduce(c_, ReduceOp::max, t, {0}).dtype(), DType::i8);
  EXPECT_EQ(values(reduce(c_, ReduceOp::prod, tensor_of({-3, 5, 7}, {3}, DType::i32))),
            Doubles{-105});
}

TEST_F(ReduceOpTest, NothingHasASumButNoMaximum) {
  const Tensor t = Tensor::allocate(DType::f32, {3, 0});
  EXPECT_EQ(values(reduce(c_, ReduceOp::sum, t, {1})), Doubles(3));
  EXPECT_EQ(values(reduce(c_, ReduceOp::prod, t, {1})), Doubles(3, 1));
  EXPECT_TRUE(std::isnan(values(reduce(c_, ReduceOp::mean, t, {1}))[0]));
  EXPECT_EQ(reduce(c_, ReduceOp::max, t, {0}).shape(), (Shape{0}));
  EXPECT_EQ(code_of([&] { reduce(c_, ReduceOp::max, t, {1}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { reduce(c_, ReduceOp::argmin, t); }), Errc::invalid_argument);
  EXPECT_EQ(values(reduce(c_, ReduceOp::sum, tensor_of({4}, {}))), Doubles{4});
}

TEST_F(ReduceOpTest, WhatDoesNotFitIsRefused) {
  const Tensor t = tensor_of(Doubles(6), {2, 3}), i = tensor_of(Doubles(6), {2, 3}, DType::i32);
  EXPECT_EQ(code_of([&] { reduce(c_, ReduceOp::sum, t, {2}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { reduce(c_, ReduceOp::sum, t, {0, -2}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { reduce(c_, ReduceOp::mean, i); }), Errc::unsupported);
  Tensor out = Tensor::allocate(DType::f32, {2});
  const int axis[] = {0};
  EXPECT_EQ(code_of([&] { reduce(c_, ReduceOp::sum, t, axis, out.mutable_view()); }),
            Errc::invalid_argument);
  EXPECT_EQ(reduce(c_, ReduceOp::sum, t, {0}, KeepDims::yes).shape(), (Shape{1, 3}));
}

TEST_F(ReduceOpTest, GradientsAreTheSlopes) {
  const Shape shape{2, 3, 4};
  const Doubles v = normal_doubles(rng_, 24), g = normal_doubles(rng_, 3);
  const Tensor x = tensor_of(v, shape), tg = tensor_of(g, {3});
  for (const ReduceOp op : kFloatOps) {
    const auto f = [&](const Doubles& at) {
      Doubles y;
      for (const Doubles& row : gathered(at, shape, 5)) y.push_back(defined<double>(op, row, 1));
      return y;
    };
    if (op == ReduceOp::argmax || op == ReduceOp::argmin) {
      EXPECT_EQ(code_of([&] { reduce_backward(c_, op, x, {0, 2}, tg); }), Errc::unsupported);
      continue;
    }
    SCOPED_TRACE(int(op));
    expect_near(values(reduce_backward(c_, op, x, {0, 2}, tg, 1)), numeric_gradient(f, v, g), 3e-5);
  }
  const Tensor ties = tensor_of({1, 2, 2}, {3});
  EXPECT_EQ(values(reduce_backward(c_, ReduceOp::max, ties, {}, tensor_of({3}, {}))),
            (Doubles{0, 1.5, 1.5}));
}

}  // namespace
}  // namespace bitnet::ops
