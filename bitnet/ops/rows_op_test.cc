// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/row_ops.h"
#include "bitnet/ops/rows.h"

namespace bitnet::ops {
namespace {

constexpr double kEps = 1e-5;
constexpr std::size_t kCols = 7;

// Formulas in double, row by row.
Doubles by_rows(const Doubles& x, const std::function<Doubles(const Doubles&)>& f) {
  Doubles all;
  for (std::size_t i = 0; i < x.size(); i += kCols) {
    const Doubles y = f(Doubles(x.begin() + long(i), x.begin() + long(i + kCols)));
    all.insert(all.end(), y.begin(), y.end());
  }
  return all;
}

Doubles softmax_of(const Doubles& x) {
  double sum = 0;
  Doubles y;
  for (const double v : x) sum += std::exp(v);
  for (const double v : x) y.push_back(std::exp(v) / sum);
  return y;
}

Doubles normed(const Doubles& x, const Doubles& w, const Doubles& b, bool centered) {
  double mean = 0, squares = 0;
  if (centered)
    for (const double v : x) mean += v / double(kCols);
  for (const double v : x) squares += (v - mean) * (v - mean) / double(kCols);
  Doubles y;
  for (std::size_t i = 0; i < x.size(); ++i)
    y.push_back((x[i] - mean) / std::sqrt(squares + kEps) * w[i] + (b.empty() ? 0 : b[i]));
  return y;
}

class RowsOpTest : public ::testing::Test {
 protected:
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
  const Doubles x_ = normal_doubles(rng_, 5 * kCols), g_ = normal_doubles(rng_, 5 * kCols);
  const Doubles w_ = normal_doubles(rng_, kCols), b_ = normal_doubles(rng_, kCols);
  const Tensor x = tensor_of(x_, {5, kCols}), g = tensor_of(g_, {5, kCols});
  const Tensor w = tensor_of(w_, {kCols}), b = tensor_of(b_, {kCols});
};

TEST_F(RowsOpTest, SoftmaxAndItsGradient) {
  const auto f = [](const Doubles& v) { return by_rows(v, softmax_of); };
  const Tensor y = softmax(c_, x);
  expect_near(values(y), f(x_), 1e-6);
  expect_near(values(softmax_backward(c_, y, g)), numeric_gradient(f, x_, g_), 1e-5);
  for (int kind = 1; kind < 4; ++kind)
    EXPECT_EQ(values(softmax(c_, Awkward(x, kind).view)), values(y));
  const Tensor far = tensor_of({1000, 1000, -1000, -INFINITY}, {4});
  EXPECT_EQ(values(softmax(c_, far)), (Doubles{0.5, 0.5, 0, 0}));
}

TEST_F(RowsOpTest, LogSoftmaxAndItsGradient) {
  const auto f = [](const Doubles& v) {
    Doubles y = by_rows(v, softmax_of);
    for (double& p : y) p = std::log(p);
    return y;
  };
  const Tensor y = log_softmax(c_, x);
  expect_near(values(y), f(x_), 1e-6);
  expect_near(values(log_softmax_backward(c_, y, g)), numeric_gradient(f, x_, g_), 1e-5);
}

TEST_F(RowsOpTest, NormsAndTheirGradients) {
  for (const bool centered : {false, true}) {
    const Doubles bias = centered ? b_ : Doubles{};
    const auto of_x = [&](const Doubles& v) {
      return by_rows(v, [&](const Doubles& row) { return normed(row, w_, bias, centered); });
    };
    const auto of_w = [&](const Doubles& v) {
      return by_rows(x_, [&](const Doubles& row) { return normed(row, v, bias, centered); });
    };
    const Tensor y =
        centered ? layer_norm(c_, x, w, b, float(kEps)) : rms_norm(c_, x, w, float(kEps));
    expect_near(values(y), of_x(x_), 1e-6);
    const NormGradients d = centered ? layer_norm_backward(c_, x, w, float(kEps), g)
                                     : rms_norm_backward(c_, x, w, float(kEps), g);
    expect_near(values(d.x), numeric_gradient(of_x, x_, g_), 1e-5);
    expect_near(values(d.weight), numeric_gradient(of_w, w_, g_), 1e-5);
    EXPECT_EQ(d.bias.defined(), centered);
    if (centered)
      expect_near(values(d.bias),
                  numeric_gradient(
                      [&](const Doubles& v) {
                        return by_rows(
                            x_, [&](const Doubles& row) { return normed(row, w_, v, true); });
                      },
                      b_, g_),
                  1e-5);
  }
  EXPECT_EQ(values(rms_norm(c_, x, {}, 0)),
            values(rms_norm(c_, x, tensor_of(Doubles(kCols, 1), {kCols}), 0)));
}

TEST_F(RowsOpTest, CrossEntropyAndItsGradient) {
  const Doubles t{0, 6, double(kIgnoredTarget), 3, 3};
  const Tensor targets = tensor_of(t, {5}, DType::i64);
  const auto f = [&](const Doubles& v) {
    const Doubles p = by_rows(v, softmax_of);
    double loss = 0;
    for (std::size_t i = 0; i < 5; ++i)
      if (t[i] >= 0) loss -= std::log(p[i * kCols + std::size_t(t[i])]) / 4;
    return Doubles{loss};
  };
  const CrossEntropy got = cross_entropy(c_, x, targets);
  EXPECT_NEAR(got.loss, f(x_)[0], 1e-6);
  EXPECT_EQ(got.counted, 4);
  EXPECT_EQ(values(got.losses)[2], 0);
  expect_near(values(cross_entropy_backward(c_, x, targets, 2.0f)), numeric_gradient(f, x_, {2.0}),
              1e-6);
  const Tensor none = tensor_of(Doubles(5, double(kIgnoredTarget)), {5}, DType::i64);
  EXPECT_TRUE(std::isnan(cross_entropy(c_, x, none).loss));
}

TEST_F(RowsOpTest, HalvesAreComputedInFloats) {
  for (const DType type : {DType::f16, DType::bf16}) {
    const Tensor half = tensor_of(x_, {5, kCols}, type);
    const Tensor wide = tensor_of(values(half), {5, kCols});
    EXPECT_EQ(softmax(c_, half).dtype(), type);
    EXPECT_EQ(values(softmax(c_, half)),
              values(tensor_of(values(softmax(c_, wide)), {5, kCols}, type)));
  }
}

TEST_F(RowsOpTest, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(code_of([&] { softmax(c_, tensor_of({1}, {})); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] {
              softmax(c_, Tensor::allocate(DType::f32, {3, 0}));
            }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { softmax(c_, tensor_of({1}, {1}, DType::f64)); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { rms_norm(c_, x, tensor_of({1}, {1}), 0); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { softmax_backward(c_, x, w); }), Errc::invalid_argument);
  for (const double bad : {-1.0, 7.0, -99.0})
    EXPECT_EQ(code_of([&] { cross_entropy(c_, x, tensor_of(Doubles(5, bad), {5}, DType::i64)); }),
              Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { cross_entropy(c_, x, tensor_of(Doubles(4), {4}, DType::i64)); }),
            Errc::invalid_argument);
}

}  // namespace
}  // namespace bitnet::ops
