// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"

namespace bitnet::ops {
namespace {

class PointwiseOp : public ::testing::Test {
 protected:
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
};

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

struct Unary {
  UnaryOp op;
  std::function<double(double)> f;
  bool positive = false;
};

const Unary kUnary[] = {
    {UnaryOp::neg, [](double x) { return -x; }},
    {UnaryOp::abs, [](double x) { return std::fabs(x); }},
    {UnaryOp::square, [](double x) { return x * x; }},
    {UnaryOp::reciprocal, [](double x) { return 1 / x; }, true},
    {UnaryOp::sqrt, [](double x) { return std::sqrt(x); }, true},
    {UnaryOp::rsqrt, [](double x) { return 1 / std::sqrt(x); }, true},
    {UnaryOp::exp, [](double x) { return std::exp(x); }},
    {UnaryOp::log, [](double x) { return std::log(x); }, true},
    {UnaryOp::relu, [](double x) { return std::max(x, 0.0); }},
    {UnaryOp::relu2, [](double x) { return std::pow(std::max(x, 0.0), 2); }},
    {UnaryOp::leaky_relu, [](double x) { return x < 0 ? 0.125 * x : x; }},
    {UnaryOp::sigmoid, logistic},
    {UnaryOp::silu, [](double x) { return x * logistic(x); }},
    {UnaryOp::tanh, [](double x) { return std::tanh(x); }},
    {UnaryOp::gelu, gelu},
    {UnaryOp::gelu_tanh, gelu_tanh},
    {UnaryOp::clamp, [](double x) { return std::min(std::max(x, 0.125), 1.5); }},
};

// Away from the kinks, so that a slope is one.
Doubles inputs(std::mt19937& rng, std::int64_t count, bool positive) {
  Doubles v = normal_doubles(rng, count, 2.0);
  for (double& x : v) {
    if (std::fabs(x) < 0.05) x = 0.3;
    if (positive) x = std::fabs(x) + 0.05;
    for (const double kink : {0.125, 1.5})
      if (std::fabs(x - kink) < 0.02) x = 1.0;
    x = static_cast<double>(static_cast<float>(x));
  }
  return v;
}

TEST_F(PointwiseOp, UnaryAndItsGradientAreNearTheFormulaInDouble) {
  for (const Unary& u : kUnary) {
    const Doubles x = inputs(rng_, 300, u.positive), g = normal_doubles(rng_, 300);
    const Tensor tx = tensor_of(x, {300}), tg = tensor_of(g, {300});
    Doubles y, dx;
    for (std::size_t i = 0; i < x.size(); ++i) {
      y.push_back(u.f(x[i]));
      dx.push_back(static_cast<double>(static_cast<float>(g[i])) * slope(u.f, x[i]));
    }
    SCOPED_TRACE(int(u.op));
    expect_near(values(unary(c_, u.op, tx, 0.125f, 1.5f)), y, 1e-6);
    // The differences are good to 1e-9 of the curvature; reciprocal at 0.05 curves by 1e5.
    expect_near(values(unary_backward(c_, u.op, tx, tg, 0.125f, 1.5f)), dx, 3e-5);
  }
}

TEST_F(PointwiseOp, AnyStridesTypesAndThreadsGiveTheSame) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::f64})
    for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{3, 70, 41}, Shape{5000}}) {
      const Tensor a = tensor_of(normal_doubles(rng_, shape.num_elements()), shape, dtype);
      const Tensor b = tensor_of(normal_doubles(rng_, shape.num_elements()), shape, dtype);
      const Tensor sum = mul(c_, a, b);
      Doubles expected;
      const Doubles va = values(a), vb = values(b);
      for (std::size_t i = 0; i < va.size(); ++i)
        expected.push_back(dtype == DType::f64 ? va[i] * vb[i] : double(float(va[i] * vb[i])));
      ASSERT_EQ(values(sum), values(tensor_of(expected, shape, dtype)));
      for (int kind = 0; kind < 4; ++kind)
        for (const int threads : {1, 3}) {
          Runtime runtime(threads);
          const Awkward va2(a, kind), vb2(b, (kind + 1) % 4), out(a, (kind + 2) % 4);
          binary(runtime.context(), BinaryOp::mul, va2.view, vb2.view, out.view);
          ASSERT_EQ(values(out.view), values(sum)) << kind;
          binary(runtime.context(), BinaryOp::mul, va2.view, vb2.view, va2.view);
          ASSERT_EQ(values(va2.view), values(sum)) << "in place";
          unary(runtime.context(), UnaryOp::abs, vb2.view, out.view);
          Doubles absolute = vb;
          for (double& x : absolute) x = std::fabs(x);
          ASSERT_EQ(values(out.view), absolute);
        }
    }
}

TEST_F(PointwiseOp, InputsBroadcast) {
  const Tensor a = tensor_of({1, 2, 3}, {3, 1}), b = tensor_of({10, 20}, {2});
  EXPECT_EQ(values(add(c_, a, b)), (Doubles{11, 21, 12, 22, 13, 23}));
  EXPECT_EQ(values(binary(c_, BinaryOp::sub, a, 1.0)), (Doubles{0, 1, 2}));
  EXPECT_EQ(values(where(c_, compare(c_, CompareOp::ge, a, b), a, b)),
            (Doubles{10, 20, 10, 20, 10, 20}));
  // 3000 columns: repeated elements reach over pieces.
  const Doubles rows = normal_doubles(rng_, 3), cols = normal_doubles(rng_, 3000);
  const Doubles sum = values(add(c_, tensor_of(rows, {3, 1}), tensor_of(cols, {3000})));
  for (std::size_t i = 0; i < sum.size(); ++i)
    ASSERT_EQ(sum[i], double(float(rows[i / 3000]) + float(cols[i % 3000])));
}

TEST_F(PointwiseOp, IntegersWrapAndDivideByZeroToZero) {
  const double low = -128;
  const Tensor a = tensor_of({127, low, low, 7, -7, 0}, {6}, DType::i8);
  const Tensor b = tensor_of({1, -1, low, 0, 2, 5}, {6}, DType::i8);
  EXPECT_EQ(values(add(c_, a, b)), (Doubles{-128, 127, 0, 7, -5, 5}));
  EXPECT_EQ(values(mul(c_, a, b)), (Doubles{127, -128, 0, 0, -14, 0}));
  EXPECT_EQ(values(div(c_, a, b)), (Doubles{127, -128, 1, 0, -3, 0}));
  EXPECT_EQ(values(unary(c_, UnaryOp::neg, a)), (Doubles{-127, -128, -128, -7, 7, 0}));
  EXPECT_EQ(values(unary(c_, UnaryOp::clamp, a, -3.5f, 1e9f)), (Doubles{127, -3, -3, 7, -3, 0}));
  const Tensor big =
      tensor_of({4294967296.0 * 2147483647, -9.2233720368547758e18}, {2}, DType::i64);
  EXPECT_EQ(values(mul(c_, big, big)).size(), 2u);  // wraps without undefined behaviour
  EXPECT_EQ(values(compare(c_, CompareOp::lt, a, b)), (Doubles{0, 1, 0, 0, 1, 1}));
  const Tensor shorts = tensor_of({65535, 2}, {2}, DType::u16);
  EXPECT_EQ(values(mul(c_, shorts, shorts)), (Doubles{1, 4}));
}

TEST_F(PointwiseOp, GradientsOfTwoInputsAreTheSlopesSummedOverRepeats) {
  const std::pair<BinaryOp, double (*)(double, double)> ops[] = {
      {BinaryOp::add, [](double a, double b) { return a + b; }},
      {BinaryOp::sub, [](double a, double b) { return a - b; }},
      {BinaryOp::mul, [](double a, double b) { return a * b; }},
      {BinaryOp::div, [](double a, double b) { return a / b; }},
      {BinaryOp::min, [](double a, double b) { return std::min(a, b); }},
      {BinaryOp::max, [](double a, double b) { return std::max(a, b); }},
      {BinaryOp::pow, [](double a, double b) { return std::pow(a, b); }}};
  for (const auto& [op, f] : ops) {
    Doubles a = normal_doubles(rng_, 6), b = normal_doubles(rng_, 4), g = normal_doubles(rng_, 24);
    for (double& x : a) x = std::fabs(x) + 0.5;
    for (double& x : b) x = std::fabs(x) + 0.7;
    // [3, 2, 1] and [4]
    const auto of_a = [&, fn = f](const Doubles& x) {
      Doubles y;
      for (std::size_t i = 0; i < 24; ++i) y.push_back(fn(x[i / 4], b[i % 4]));
      return y;
    };
    const auto of_b = [&, fn = f](const Doubles& x) {
      Doubles y;
      for (std::size_t i = 0; i < 24; ++i) y.push_back(fn(a[i / 4], x[i % 4]));
      return y;
    };
    const auto got = binary_backward(c_, op, tensor_of(a, {3, 2, 1}), tensor_of(b, {4}),
                                     tensor_of(g, {3, 2, 4}));
    SCOPED_TRACE(int(op));
    EXPECT_EQ(got.a.shape(), (Shape{3, 2, 1}));
    EXPECT_EQ(got.b.shape(), (Shape{4}));
    expect_near(values(got.a), numeric_gradient(of_a, a, g), 2e-5);
    expect_near(values(got.b), numeric_gradient(of_b, b, g), 2e-5);
  }
  const auto tie = binary_backward(c_, BinaryOp::max, tensor_of({2}, {1}), tensor_of({2}, {1}),
                                   tensor_of({3}, {1}));
  EXPECT_EQ(values(tie.a), Doubles{1.5});
  EXPECT_EQ(values(tie.b), Doubles{1.5});
  const auto zero = binary_backward(c_, BinaryOp::pow, tensor_of({0}, {1}), tensor_of({2}, {1}),
                                    tensor_of({1}, {1}));
  EXPECT_EQ(values(zero.b), Doubles{0});
}

TEST_F(PointwiseOp, CastsRoundOnceAndSaturate) {
  const Tensor reals =
      tensor_of({2.7, -2.7, 300, -1e30, NAN, INFINITY, 0.5, -0.5}, {8}, DType::f32);
  EXPECT_EQ(values(cast(c_, reals, DType::i8)), (Doubles{2, -2, 127, -128, 0, 127, 0, 0}));
  EXPECT_EQ(values(cast(c_, reals, DType::u8)), (Doubles{2, 0, 255, 0, 0, 255, 0, 0}));
  EXPECT_EQ(values(cast(c_, reals, DType::i64))[5], 9.2233720368547758e18);
  // 2049 + 2^-40 lies above the middle of two halves: rounding to float first would go down.
  const Tensor above = tensor_of({2049 + 0x1p-30}, {1}, DType::f64);
  EXPECT_EQ(values(cast(c_, above, DType::f16)), Doubles{2050});
  EXPECT_EQ(values(cast(c_, tensor_of({-2049 - 0x1p-30}, {1}, DType::f64), DType::f16)),
            Doubles{-2050});
  const Tensor near = tensor_of({1 + 0x1p-8 + 0x1p-40}, {1}, DType::f64);
  EXPECT_EQ(values(cast(c_, near, DType::bf16)), Doubles{1 + 0x1p-7});
  // 2^54 + 2^30 + 1: the nearest double is the middle of two floats.
  Tensor huge = Tensor::allocate(DType::i64, {2});
  huge.as_mutable<std::int64_t>()[0] = (std::int64_t{1} << 54) + (std::int64_t{1} << 30) + 1;
  huge.as_mutable<std::int64_t>()[1] = -huge.as<std::int64_t>()[0];
  EXPECT_EQ(values(cast(c_, huge, DType::f32)), (Doubles{0x1p54 + 0x1p31, -0x1p54 - 0x1p31}));
  EXPECT_EQ(values(cast(c_, tensor_of({-1e18}, {1}, DType::i64), DType::i32)), Doubles{-0x1p31});
}

// By way of every type that holds -1, 0 and 1, from views too.
TEST_F(PointwiseOp, EveryPairOfTypesKeepsWhatBothCanHold) {
  const DType types[] = {DType::f32, DType::f16,      DType::bf16,      DType::i8,
                         DType::i32, DType::i64,      DType::f64,       DType::i4,
                         DType::i2,  DType::ternary2, DType::ternary1_6};
  Doubles v;
  for (int i = 0; i < 3 * 333; ++i) v.push_back(double(rng_() % 3) - 1);
  const Tensor original = tensor_of(v, {3, 333}, DType::i8);
  for (const DType from : types)
    for (const DType to : types) {
      const Tensor there = cast(c_, cast(c_, original, from), to);
      EXPECT_EQ(there.dtype(), to);
      ASSERT_EQ(values(cast(c_, there, DType::i8)), v) << info(from).name << info(to).name;
      const Tensor flipped = cast(c_, there.view().flip(0), DType::i8);
      ASSERT_EQ(values(flipped.view().flip(0)), v);
    }
  for (double& x : v) x = x < 0 ? -1 : 1;
  const Tensor signs = cast(c_, tensor_of(v, {3, 333}), DType::i1);
  EXPECT_EQ(signs.size_bytes(), 3u * 42);
  EXPECT_EQ(values(cast(c_, signs, DType::f32)), v);
  const Tensor wide = tensor_of({-100, -8, 7, 100}, {4}, DType::i32);
  EXPECT_EQ(values(cast(c_, cast(c_, wide, DType::i4), DType::i8)), (Doubles{-8, -8, 7, 7}));
  EXPECT_EQ(values(cast(c_, cast(c_, wide, DType::ternary2), DType::i8)), (Doubles{-1, -1, 1, 1}));
}

TEST_F(PointwiseOp, WhatDoesNotFitIsRefusedByName) {
  const Tensor f = tensor_of({1, 2, 3}, {3}), i = tensor_of({1, 2, 3}, {3}, DType::i32);
  const Tensor two = tensor_of({1, 2}, {2}), packed = Tensor::allocate(DType::i4, {3});
  const auto message = [&](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message([&] { add(c_, f, i); }).find("add: b is i32, expected f32"), std::string::npos);
  EXPECT_NE(message([&] { add(c_, f, two); }).find("add: shapes [3] and [2] do not broadcast"),
            std::string::npos);
  EXPECT_NE(message([&] { unary(c_, UnaryOp::exp, i); }).find("exp: x is i32"), std::string::npos);
  EXPECT_NE(message([&] { unary(c_, UnaryOp::neg, packed); }).find("neg: x is i4"),
            std::string::npos);
  EXPECT_EQ(code_of([&] { cast(c_, f, DType::q8_0); }), Errc::invalid_argument);  // 3 columns
  EXPECT_EQ(code_of([&] { cast(c_, tensor_of(Doubles(32), {32}), DType::q8_0); }),
            Errc::unsupported);
  EXPECT_EQ(code_of([&] { where(c_, f, f, f); }), Errc::invalid_argument);
  Tensor out = Tensor::allocate(DType::f32, {3});
  const MutableTensorView repeated = out.mutable_view().slice(0, {0, 1}).broadcast_to({3});
  EXPECT_EQ(code_of([&] { binary(c_, BinaryOp::add, f, f, repeated); }), Errc::invalid_argument);
  const TensorView elsewhere(DType::f32, {3}, f.data(), Device{DeviceKind::cuda, 0});
  EXPECT_EQ(code_of([&] { add(c_, elsewhere, f); }), Errc::unsupported);
}

}  // namespace
}  // namespace bitnet::ops
