// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/bit_linear.h"

#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"

namespace bitnet::ops {
namespace {

class BitLinearOp : public ::testing::Test {
 protected:
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
  const std::int64_t tokens_ = 6, cols_ = 520, rows_ = 33;
  const Tensor master = tensor_of(normal_doubles(rng_, rows_* cols_, 0.02), {rows_, cols_});
  const Tensor x = tensor_of(normal_doubles(rng_, tokens_* cols_), {2, 3, cols_});
  const Tensor g = tensor_of(normal_doubles(rng_, tokens_* rows_), {2, 3, rows_});
  const Tensor bias = tensor_of(normal_doubles(rng_, rows_), {rows_});

  // a [m][k] times b [n][k] transposed, in double.
  static Doubles product(const Doubles& a, const Doubles& b, std::size_t m, std::size_t n,
                         std::size_t k) {
    Doubles out;
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t t = 0; t < k; ++t) sum += a[i * k + t] * b[j * k + t];
        out.push_back(sum);
      }
    return out;
  }
  static Doubles turned(const Doubles& a, std::size_t m, std::size_t n) {
    Doubles out;
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t i = 0; i < m; ++i) out.push_back(a[i * n + j]);
    return out;
  }
};

TEST_F(BitLinearOp, IsTheProductOfWhatBothQuantizersKeep) {
  for (const auto granularity :
       {ScaleGranularity::tensor, ScaleGranularity::row, ScaleGranularity::group}) {
    BitLinear layer = BitLinear::from_master(c_, master, granularity, 256);
    const Doubles w = values(
        dequantize(c_, quantize(c_, Quantizer::absmean_ternary, master, {granularity, 256})));
    const Doubles seen = values(dequantize(c_, quantize(c_, Quantizer::absmax_i8, x)));
    Doubles expected = product(seen, w, 6, 33, 520);
    const Tensor y = bit_linear(c_, layer, x);
    EXPECT_EQ(y.shape(), (Shape{2, 3, 33}));
    expect_near(values(y), expected, 1e-6);
    layer.bias = bias;
    const Doubles b = values(bias);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += b[i % 33];
    expect_near(values(bit_linear(c_, layer, x)), expected, 1e-6);
    expect_near(values(bit_linear(c_, layer, cast(c_, x, DType::bf16))), expected, 0.05);
  }
}

// Straight through: the gradients of y = seen(x) w^T + b with both roundings taken as the identity.
TEST_F(BitLinearOp, GradientsGoStraightThroughTheRoundings) {
  for (const auto granularity :
       {ScaleGranularity::tensor, ScaleGranularity::row, ScaleGranularity::group}) {
    BitLinear layer = BitLinear::from_master(c_, master, granularity, 256);
    layer.bias = bias;
    const Doubles w = values(
        dequantize(c_, quantize(c_, Quantizer::absmean_ternary, master, {granularity, 256})));
    const Doubles seen = values(dequantize(c_, quantize(c_, Quantizer::absmax_i8, x))),
                  dy = values(g);
    const BitLinearGradients d = bit_linear_backward(c_, layer, x, g);
    EXPECT_EQ(d.x.shape(), x.shape());
    EXPECT_EQ(d.weight.shape(), master.shape());
    expect_near(values(d.x), product(dy, turned(w, 33, 520), 6, 520, 33), 1e-6);
    expect_near(values(d.weight), product(turned(dy, 6, 33), turned(seen, 6, 520), 33, 520, 6),
                1e-5);
    Doubles db(33);
    for (std::size_t i = 0; i < dy.size(); ++i) db[i % 33] += dy[i];
    expect_near(values(d.bias), db, 1e-6);
  }
}

TEST_F(BitLinearOp, ThreadsDoNotMatterAndShapesDo) {
  const BitLinear layer = BitLinear::from_master(c_, master);
  for (const int threads : {1, 3}) {
    Runtime runtime(threads);
    EXPECT_EQ(values(bit_linear(runtime.context(), layer, x)), values(bit_linear(c_, layer, x)));
    EXPECT_EQ(values(bit_linear_backward(runtime.context(), layer, x, g).weight),
              values(bit_linear_backward(c_, layer, x, g).weight));
  }
  EXPECT_EQ(code_of([&] { bit_linear(c_, layer, g); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { bit_linear_backward(c_, layer, x, x); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { bit_linear(c_, layer, cast(c_, x, DType::f64)); }), Errc::unsupported);
  EXPECT_EQ(bit_linear(c_, layer, Tensor::allocate(DType::f32, {0, 520})).shape(), (Shape{0, 33}));
  EXPECT_FALSE(bit_linear_backward(c_, layer, x, g).bias.defined());
}

}  // namespace
}  // namespace bitnet::ops
