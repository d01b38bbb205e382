// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/attention.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"

namespace bitnet::ops {
namespace {

class QuantizersOp : public ::testing::Test {
 protected:
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
  const std::int64_t rows_ = 5, cols_ = 700;
  const Doubles x_ = normal_doubles(rng_, rows_* cols_);
  const Tensor x = tensor_of(x_, {rows_, cols_});
};

// Every value is the nearest of its group's codes, whatever shares a scale.
TEST_F(QuantizersOp, ComesBackWithinHalfAStep) {
  for (const auto granularity :
       {ScaleGranularity::tensor, ScaleGranularity::row, ScaleGranularity::group})
    for (const Quantizer kind :
         {Quantizer::absmax_i8, Quantizer::asymmetric_i8, Quantizer::stochastic_i8}) {
      const Tensor codes = quantize(c_, kind, x, {granularity, 256, 5});
      const Quantization& q = *codes.quantization();
      const std::size_t scales = granularity == ScaleGranularity::tensor ? 1
                                 : granularity == ScaleGranularity::row  ? 5
                                                                         : 15;
      ASSERT_EQ(q.scales.size(), scales);
      const Doubles back = values(dequantize(c_, codes));
      for (std::size_t i = 0; i < back.size(); ++i) {
        const std::size_t row = i / 700, col = i % 700;
        const double step = double(q.scales[scales == 1   ? 0
                                            : scales == 5 ? row
                                                          : row * 3 + col / 256]);
        const double most =
            kind == Quantizer::absmax_i8 ? 0.5 : 1.0;  // a rounded zero point: half a step more
        ASSERT_LE(std::fabs(back[i] - x_[i]), step * most + 1e-5) << i;
      }
    }
}

TEST_F(QuantizersOp, StochasticRoundingIsRightInTheMeanAndTheSameForASeed) {
  const Tensor same = tensor_of(Doubles(4000, 0.3), {1, 4000});
  Tensor with_most = contiguous(same);
  with_most.as_mutable<float>()[0] = 12.7f;  // a step of 0.1: 0.3 lies on a code, 0.35 between two
  for (std::int64_t i = 1; i < 4000; ++i) with_most.as_mutable<float>()[i] = 0.35f;
  const auto mean = [&](std::uint64_t seed) {
    const Doubles v =
        values(quantize(c_, Quantizer::stochastic_i8, with_most, {ScaleGranularity::row, 0, seed}));
    double sum = 0;
    for (std::size_t i = 1; i < v.size(); ++i) {
      EXPECT_TRUE(v[i] == 3 || v[i] == 4);
      sum += v[i];
    }
    return sum / 3999;
  };
  EXPECT_NEAR(mean(1), 3.5, 0.04);  // five standard deviations
  EXPECT_EQ(mean(1), mean(1));
  EXPECT_NE(mean(1), mean(2));
}

TEST_F(QuantizersOp, TernaryAndSignsFollowTheirFormula) {
  for (const auto granularity :
       {ScaleGranularity::tensor, ScaleGranularity::row, ScaleGranularity::group})
    for (const Quantizer kind : {Quantizer::absmean_ternary, Quantizer::sign}) {
      const Tensor codes = quantize(c_, kind, x, {granularity, 256});
      EXPECT_EQ(codes.dtype(), kind == Quantizer::sign ? DType::i1 : DType::ternary2);
      const Quantization& q = *codes.quantization();
      const Doubles integers = values(cast(c_, codes, DType::f32)),
                    back = values(dequantize(c_, codes));
      for (std::size_t r = 0; r < 5; ++r)
        for (std::size_t first = 0; first < 700;
             first += granularity == ScaleGranularity::group ? 256 : 700) {
          const std::size_t end = granularity == ScaleGranularity::group
                                      ? std::min<std::size_t>(700, first + 256)
                                      : 700;
          double sum = 0, count = 0;
          const bool all = granularity == ScaleGranularity::tensor;
          for (std::size_t i = all ? 0 : r * 700 + first; i < (all ? x_.size() : r * 700 + end);
               ++i)
            sum += std::fabs(x_[i]), ++count;
          const float scale =
              q.scales[all                                    ? 0
                       : granularity == ScaleGranularity::row ? r
                                                              : r * 3 + first / 256];
          EXPECT_NEAR(scale, sum / count, 1e-6);
          for (std::size_t i = r * 700 + first; i < r * 700 + end; ++i) {
            const float v = float(x_[i]) * (1.0f / scale);
            const double code = kind == Quantizer::sign
                                    ? (x_[i] >= 0 ? 1 : -1)
                                    : std::clamp(std::nearbyint(double(v)), -1.0, 1.0);
            ASSERT_EQ(integers[i], code);
            ASSERT_EQ(back[i], double(float(code) * scale));
          }
        }
    }
}

TEST_F(QuantizersOp, StridesTypesAndThreadsDoNotMatter) {
  const Tensor half = cast(c_, x, DType::bf16);
  for (const Quantizer kind : {Quantizer::absmean_ternary, Quantizer::sign, Quantizer::absmax_i8,
                               Quantizer::asymmetric_i8, Quantizer::stochastic_i8}) {
    const Doubles expected = values(dequantize(c_, quantize(c_, kind, cast(c_, half, DType::f32))));
    for (int kind_of_view = 0; kind_of_view < 4; ++kind_of_view) {
      Runtime runtime(1 + kind_of_view);
      const Tensor codes = quantize(runtime.context(), kind, Awkward(half, kind_of_view).view);
      ASSERT_EQ(values(dequantize(runtime.context(), codes)), expected) << int(kind);
    }
  }
}

TEST_F(QuantizersOp, DropoutDropsItsShareAndItsGradientFollows) {
  const Tensor wide = tensor_of(normal_doubles(rng_, 100000), {100000});
  const DropoutOptions options{0.3, 11, 5, true};
  const Doubles v = values(wide), y = values(dropout(c_, wide, options));
  const Doubles d =
      values(dropout_backward(c_, wide, tensor_of(Doubles(100000, 1), {100000}), options));
  double dropped = 0, positive = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    if (v[i] <= 0) {
      ASSERT_EQ(y[i], 0);
      ASSERT_EQ(d[i], 0);
      continue;
    }
    ++positive;
    dropped += y[i] == 0;
    ASSERT_EQ(d[i] == 0, y[i] == 0);
    if (y[i] != 0) {
      ASSERT_EQ(y[i], double(float(v[i]) * float(1 / 0.7)));
    }
  }
  EXPECT_NEAR(dropped / positive, 0.3, 0.011);  // five standard deviations
  Runtime three(3);
  EXPECT_EQ(values(dropout(three.context(), wide, options)), y);
  // A stream may be cut: the second half by itself.
  DropoutOptions second = options;
  second.first += 50000;
  const Doubles half = values(dropout(c_, wide.view().slice(0, {50000, {}}), second));
  EXPECT_TRUE(std::equal(half.begin(), half.end(), y.begin() + 50000));
  EXPECT_EQ(values(dropout(c_, wide, {0.0, 1})), v);
}

TEST_F(QuantizersOp, EmbeddingAndItsGradient) {
  const Tensor ids = tensor_of({3, 0, 3, 4}, {2, 2}, DType::i64);
  const Tensor rows = embedding(c_, x, ids);
  EXPECT_EQ(rows.shape(), (Shape{2, 2, 700}));
  EXPECT_EQ(values(rows.view().select(0, 1).select(0, 0)), values(x.view().select(0, 3)));
  const Doubles g = normal_doubles(rng_, 4 * 700);
  const Tensor d = embedding_backward(c_, ids, tensor_of(g, {2, 2, 700}), 5);
  const Doubles got = values(d);
  for (std::size_t c = 0; c < 700; ++c) {
    EXPECT_EQ(got[3 * 700 + c], double(float(g[c]) + float(g[2 * 700 + c])));
    EXPECT_EQ(got[c], double(float(g[700 + c])));
    EXPECT_EQ(got[700 + c], 0);
  }
  // Large enough to be divided.
  Doubles many, wide = normal_doubles(rng_, 300 * 200);
  for (int i = 0; i < 300; ++i) many.push_back(double(rng_() % 7));
  Runtime one(1), three(3);
  const Tensor t = tensor_of(many, {300}, DType::i64), gw = tensor_of(wide, {300, 200});
  EXPECT_EQ(values(embedding_backward(one.context(), t, gw, 7)),
            values(embedding_backward(three.context(), t, gw, 7)));
  EXPECT_EQ(code_of([&] { embedding_backward(c_, t, gw, 6); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { embedding(c_, x, tensor_of({5}, {1}, DType::i64)); }),
            Errc::invalid_argument);
}

TEST_F(QuantizersOp, RotatingBackIsTheGradient) {
  const Doubles v = normal_doubles(rng_, 3 * 8), g = normal_doubles(rng_, 3 * 8),
                angle = normal_doubles(rng_, 3 * 4);
  Doubles cosines, sines;
  for (const double a : angle) cosines.push_back(std::cos(a)), sines.push_back(std::sin(a));
  const auto f = [&](const Doubles& at) {
    Doubles y(at.size());
    for (std::size_t t = 0; t < 3; ++t)
      for (std::size_t i = 0; i < 4; ++i) {
        const double a = at[t * 8 + i], b = at[t * 8 + 4 + i], c = cosines[t * 4 + i],
                     s = sines[t * 4 + i];
        y[t * 8 + i] = a * c - b * s;
        y[t * 8 + 4 + i] = a * s + b * c;
      }
    return y;
  };
  const Tensor cosine = tensor_of(cosines, {3, 4}), sine = tensor_of(sines, {3, 4});
  Tensor d = tensor_of(g, {3, 8});
  rope_backward(c_, {d.as_mutable<float>(), 3, 8, 8}, 8, {cosine.as<float>(), 3, 4, 4},
                {sine.as<float>(), 3, 4, 4});
  expect_near(values(d), numeric_gradient(f, v, g), 1e-6);
}

TEST_F(QuantizersOp, WhatDoesNotFitIsRefused) {
  Tensor bad = contiguous(x);
  bad.as_mutable<float>()[3] = NAN;
  EXPECT_EQ(code_of([&] { quantize(c_, Quantizer::absmean_ternary, bad); }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { quantize(c_, Quantizer::absmax_i8, tensor_of({1}, {})); }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { quantize(c_, Quantizer::absmax_i8, tensor_of({1}, {1}, DType::i32)); }),
            Errc::unsupported);
  EXPECT_EQ(code_of([&] {
              quantize(c_, Quantizer::absmean_ternary, x, {ScaleGranularity::group, 128});
            }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] {
              quantize(c_, Quantizer::absmax_i8, x, {ScaleGranularity::group, 0});
            }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { dequantize(c_, x); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { dropout(c_, x, {1.0}); }), Errc::invalid_argument);
  EXPECT_EQ(values(quantize(c_, Quantizer::absmax_i8, bad))[3], 0);
}

}  // namespace
}  // namespace bitnet::ops
