// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/elementwise.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
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

// Every op on halves is the op on the same numbers as floats, rounded once: rows of more floats
// than are turned at once, so many rows that they come in blocks, and views of any strides.
TEST_F(RowsOpTest, HalvesAreComputedInFloats) {
  using Op = std::function<Tensor(const TensorView&, const TensorView&)>;
  for (const auto& [rows, cols] :
       {std::pair<std::int64_t, std::int64_t>{5, kCols}, {150, 300}, {3, 16400}}) {
    const Tensor gain = tensor_of(normal_doubles(rng_, cols), {cols});
    Doubles targets;
    for (std::int64_t i = 0; i < rows; ++i) targets.push_back(double(rng_() % unsigned(cols)));
    const Tensor places = tensor_of(targets, {rows}, DType::i64);
    const auto tensor = [](const auto& gradients) { return gradients.x; };
    const std::vector<Op> ops{
        [&](auto& a, auto&) { return softmax(c_, a); },
        [&](auto& a, auto&) { return log_softmax(c_, a); },
        [&](auto& a, auto&) { return rms_norm(c_, a, gain, 1e-5f); },
        [&](auto& a, auto&) { return rms_norm(c_, a, {}, 1e-5f); },
        [&](auto& a, auto&) { return layer_norm(c_, a, gain, gain, 1e-5f); },
        [&](auto& a, auto& d) { return softmax_backward(c_, a, d); },
        [&](auto& a, auto& d) { return log_softmax_backward(c_, a, d); },
        [&](auto& a, auto& d) { return tensor(rms_norm_backward(c_, a, gain, 1e-5f, d)); },
        [&](auto& a, auto& d) { return tensor(layer_norm_backward(c_, a, gain, 1e-5f, d)); },
        [&](auto& a, auto&) { return cross_entropy_backward(c_, a, places); },
    };
    for (const DType type : {DType::f16, DType::bf16}) {
      const Tensor half = tensor_of(normal_doubles(rng_, rows * cols), {rows, cols}, type);
      const Tensor slope = tensor_of(normal_doubles(rng_, rows * cols), {rows, cols}, type);
      const Tensor wide = cast(c_, half, DType::f32), wide_slope = cast(c_, slope, DType::f32);
      for (std::size_t i = 0; i < ops.size(); ++i) {
        const Doubles expected = values(cast(c_, ops[i](wide, wide_slope), type));
        EXPECT_EQ(ops[i](half, slope).dtype(), type);
        for (int kind = 0; kind < 4; ++kind)
          ASSERT_EQ(values(ops[i](Awkward(half, kind).view, Awkward(slope, kind).view)), expected)
              << i << " " << cols << " " << kind;
      }
      const NormGradients d = layer_norm_backward(c_, half, gain, 1e-5f, slope);
      const NormGradients e = layer_norm_backward(c_, wide, gain, 1e-5f, wide_slope);
      EXPECT_EQ(values(d.weight), values(e.weight));
      EXPECT_EQ(values(d.bias), values(e.bias));
      EXPECT_EQ(values(cross_entropy(c_, half, places).losses),
                values(cross_entropy(c_, wide, places).losses));
    }
  }
}

// Rows with gaps, repeated rows and rows in reverse order are read where they lie.
TEST_F(RowsOpTest, RowsMayLieAnywhere) {
  const Doubles v = normal_doubles(rng_, 2 * 6 * 20);
  for (const DType type : {DType::f32, DType::f16}) {
    const Tensor kept = tensor_of(v, {2, 6, 20}, type);
    const TensorView all = kept;
    for (const TensorView& part :
         {all.slice(2, {3, 17}), all.slice(1, {0, 6, 2}), all.flip(1), all.select(1, 2),
          all.select(1, 2).select(0, 0).broadcast_to({4, 20}), all.transpose(0, 1),
          all.select(0, 1).select(0, 1), all.flip(2)}) {
      EXPECT_EQ(values(softmax(c_, part)), values(softmax(c_, contiguous(part))));
      EXPECT_EQ(values(softmax_backward(c_, part, part)),
                values(softmax_backward(c_, contiguous(part), contiguous(part))));
    }
  }
}

TEST_F(RowsOpTest, RmsNormIsThatOfTheDecoder) {
  const Tensor wide = tensor_of(normal_doubles(rng_, 3 * 100), {3, 100});
  const Tensor gain = tensor_of(normal_doubles(rng_, 100), {100});
  Tensor out = Tensor::allocate(DType::f32, {3, 100});
  bitnet::rms_norm(c_, {wide.as<float>(), 3, 100, 100}, gain, 1e-5f,
                   {out.as_mutable<float>(), 3, 100, 100});
  EXPECT_EQ(values(rms_norm(c_, wide, gain, 1e-5f)), values(out));
}

TEST_F(RowsOpTest, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(code_of([&] { softmax(c_, tensor_of({1}, {})); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] {
              softmax(c_, Tensor::allocate(DType::f32, {3, 0}));
            }),
            Errc::invalid_argument);
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
