// SPDX-License-Identifier: MIT OR Apache-2.0
// NaN, infinities, zeros of both signs and denormals: every op gives what its formula gives under
// IEEE 754. Attention, matrix products and quantizers have such tests of their own.
#include "bitnet/ops/attention.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/rows.h"

namespace bitnet::ops {
namespace {

const double kNaN = NAN, kInf = INFINITY;

class SpecialValues : public ::testing::Test {
 protected:
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
};

// NaN for NaN, infinities and zeros with their sign, others to some units of the type.
void expect_alike(double got, double exact, DType type, const std::string& what) {
  const double rounded = values(tensor_of({exact}, {1}, type))[0];
  if (std::isnan(exact)) {
    EXPECT_TRUE(std::isnan(got)) << what << ": " << got;
  } else if (std::isinf(rounded) || exact == 0) {
    EXPECT_EQ(got, rounded) << what;
    EXPECT_EQ(std::signbit(got), std::signbit(rounded)) << what;
  } else {
    // Products with a factor that is denormal lose bits of it (silu and the GELUs).
    const double least = type == DType::f16 ? 0x1p-24 : 0x1p-133;
    EXPECT_NEAR(got, rounded, std::fabs(rounded) * 0.01 + least) << what;
  }
}

Doubles specials(DType type) {
  const bool narrow = type == DType::f16;
  return {0.0,
          -0.0,
          narrow ? 0x1p-24 : 0x1p-140,
          narrow ? -0x1p-24 : -0x1p-140,
          1.0,
          -1.0,
          narrow ? 60000.0 : 0x1p127,
          narrow ? -60000.0 : -0x1p127,
          kInf,
          -kInf,
          kNaN,
          0.5,
          2.0,
          -3.0};
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double normal_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
// std::max and std::min would drop a NaN on one side.
double relu(double x) { return x < 0 ? 0.0 : x; }

TEST_F(SpecialValues, OfOneNumber) {
  const std::pair<UnaryOp, double (*)(double)> cases[] = {
      {UnaryOp::neg, [](double x) { return -x; }},
      {UnaryOp::abs, [](double x) { return std::fabs(x); }},
      {UnaryOp::square, [](double x) { return x * x; }},
      {UnaryOp::reciprocal, [](double x) { return 1 / x; }},
      {UnaryOp::sqrt, [](double x) { return std::sqrt(x); }},
      {UnaryOp::rsqrt, [](double x) { return 1 / std::sqrt(x); }},
      {UnaryOp::exp, [](double x) { return std::exp(x); }},
      {UnaryOp::log, [](double x) { return std::log(x); }},
      {UnaryOp::leaky_relu, [](double x) { return x < 0 ? x * 0.125 : x; }},
      {UnaryOp::sigmoid, logistic},
      {UnaryOp::silu, [](double x) { return x * logistic(x); }},
      {UnaryOp::tanh, [](double x) { return std::tanh(x); }},
      {UnaryOp::gelu, [](double x) { return x * normal_below(x); }},
      {UnaryOp::gelu_tanh,
       [](double x) { return x * logistic(1.5957691216057308 * (x + 0.044715 * x * x * x)); }},
  };
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    const Doubles x = values(tensor_of(specials(type), {14}, type));
    const auto of = [&](UnaryOp op) {
      return values(unary(c_, op, tensor_of(x, {14}, type), 0.125f, 1.5f));
    };
    for (const auto& [op, f] : cases)
      for (std::size_t i = 0; i < x.size(); ++i)
        expect_alike(of(op)[i], f(x[i]), type,
                     std::to_string(int(op)) + " of " + std::to_string(x[i]));
    for (std::size_t i = 0; i < x.size(); ++i) {
      expect_alike(of(UnaryOp::relu)[i] + 0.0, relu(x[i]) + 0.0, type, "relu");
      expect_alike(of(UnaryOp::relu2)[i], relu(x[i]) * relu(x[i]), type, "relu2");
      const double clamped = x[i] < 0.125 ? 0.125 : x[i] > 1.5 ? 1.5 : x[i];
      expect_alike(of(UnaryOp::clamp)[i], clamped, type, "clamp");
    }
  }
}

TEST_F(SpecialValues, OfTwoNumbers) {
  const std::pair<BinaryOp, double (*)(double, double)> cases[] = {
      {BinaryOp::add, [](double a, double b) { return a + b; }},
      {BinaryOp::sub, [](double a, double b) { return a - b; }},
      {BinaryOp::mul, [](double a, double b) { return a * b; }},
      {BinaryOp::div, [](double a, double b) { return a / b; }},
      {BinaryOp::pow, [](double a, double b) { return std::pow(a, b); }},
      {BinaryOp::min,
       [](double a, double b) {
         if (std::isnan(a) || std::isnan(b)) return kNaN;
         return a < b || (a == b && std::signbit(a)) ? a : b;
       }},
      {BinaryOp::max,
       [](double a, double b) {
         if (std::isnan(a) || std::isnan(b)) return kNaN;
         return a > b || (a == b && std::signbit(b)) ? a : b;
       }},
  };
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    const Doubles v = values(tensor_of(specials(type), {14}, type));
    const Tensor a = tensor_of(v, {14, 1}, type), b = tensor_of(v, {14}, type);
    for (const auto& [op, f] : cases) {
      const Doubles got = values(binary(c_, op, a, b));
      for (std::size_t i = 0; i < got.size(); ++i)
        expect_alike(got[i], f(v[i / 14], v[i % 14]), type,
                     std::to_string(int(op)) + " of " + std::to_string(v[i / 14]) + " and " +
                         std::to_string(v[i % 14]));
    }
    const auto expect_order = [&](CompareOp op, bool (*f)(double, double)) {
      const Doubles got = values(compare(c_, op, a, b));
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_EQ(got[i], f(v[i / 14], v[i % 14])) << int(op) << " " << i;
    };
    expect_order(CompareOp::eq, [](double x, double y) { return x == y; });
    expect_order(CompareOp::ne, [](double x, double y) { return x != y; });
    expect_order(CompareOp::lt, [](double x, double y) { return x < y; });
    expect_order(CompareOp::le, [](double x, double y) { return x <= y; });
    expect_order(CompareOp::gt, [](double x, double y) { return x > y; });
    expect_order(CompareOp::ge, [](double x, double y) { return x >= y; });
  }
}

// A gradient that is NaN stays one, and so does that of a NaN, which has no slope (leaky_relu has
// one for all that is not below 0).
TEST_F(SpecialValues, GradientsKeepNaN) {
  for (int i = 0; i <= int(UnaryOp::clamp); ++i) {
    const auto op = static_cast<UnaryOp>(i);
    const Tensor x = tensor_of({0.5, kNaN}, {2}), g = tensor_of({kNaN, 1}, {2});
    const Doubles dx = values(unary_backward(c_, op, x, g, 0.125f, 1.5f));
    EXPECT_TRUE(std::isnan(dx[0])) << i;
    const bool has_slope = op == UnaryOp::neg || op == UnaryOp::leaky_relu;
    EXPECT_EQ(std::isnan(dx[1]), !has_slope) << i;
  }
}

TEST_F(SpecialValues, OfReductions) {
  const auto of = [&](ReduceOp op, const Doubles& v) {
    return values(reduce(c_, op, tensor_of(v, {std::int64_t(v.size())})))[0];
  };
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::mean, ReduceOp::prod, ReduceOp::max,
                            ReduceOp::min, ReduceOp::norm1, ReduceOp::norm2, ReduceOp::variance})
    for (std::size_t at = 0; at < 40; ++at) {
      Doubles v(40, 1.0);
      v[at] = kNaN;
      v[(at + 7) % 40] = kInf;
      EXPECT_TRUE(std::isnan(of(op, v))) << int(op) << " " << at;
      v[at] = 2;
      const double expected = op == ReduceOp::min ? 1 : op == ReduceOp::variance ? kNaN : kInf;
      expect_alike(of(op, v), expected, DType::f32, std::to_string(int(op)));
      v[at] = -kInf;
      const double both = op == ReduceOp::max || op == ReduceOp::norm1 || op == ReduceOp::norm2
                              ? kInf
                          : op == ReduceOp::min || op == ReduceOp::prod ? -kInf
                                                                        : kNaN;
      expect_alike(of(op, v), both, DType::f32, std::to_string(int(op)));
    }
}

TEST_F(SpecialValues, OfRows) {
  const Tensor gain = tensor_of(Doubles(20, 1.0), {20});
  const auto row = [&](double at3, double rest) {
    Doubles v(20, rest);
    v[3] = at3;
    return tensor_of(v, {1, 20});
  };
  // An infinity is the whole of a softmax that IEEE cannot compute: inf - inf.
  EXPECT_TRUE(std::isnan(values(softmax(c_, row(kInf, 0)))[3]));
  EXPECT_EQ(values(softmax(c_, row(-kInf, 0)))[3], 0);
  EXPECT_EQ(values(log_softmax(c_, row(-kInf, 0)))[3], -kInf);
  EXPECT_TRUE(std::isnan(values(softmax(c_, row(-kInf, -kInf)))[5]));
  for (const double x : values(softmax(c_, row(kNaN, 0)))) EXPECT_TRUE(std::isnan(x));
  for (const double x : values(rms_norm(c_, row(kNaN, 1), gain, 0))) EXPECT_TRUE(std::isnan(x));
  for (const double x : values(layer_norm(c_, row(kInf, 1), gain, gain, 0)))
    EXPECT_TRUE(std::isnan(x));
  const Doubles rms = values(rms_norm(c_, row(kInf, 1), gain, 0));
  EXPECT_TRUE(std::isnan(rms[3]));  // inf / inf
  EXPECT_EQ(rms[4], 0);             // 1 / inf
  const Tensor third = tensor_of({3}, {1}, DType::i64);
  EXPECT_EQ(cross_entropy(c_, row(-kInf, 0), third).loss, kInf);
  EXPECT_TRUE(std::isnan(cross_entropy(c_, row(kNaN, 0), third).loss));
}

TEST_F(SpecialValues, OfDropoutAndRotations) {
  const Doubles v{kNaN, kInf, -kInf, -0.0};
  const Doubles kept = values(dropout(c_, tensor_of(v, {4}), {.probability = 0.0}));
  const Doubles positive =
      values(dropout(c_, tensor_of(v, {4}), {.probability = 0.0, .relu = true}));
  for (std::size_t i = 0; i < v.size(); ++i) {
    expect_alike(kept[i], v[i], DType::f32, "dropout");
    expect_alike(positive[i] + 0.0, relu(v[i]) + 0.0, DType::f32, "relu and dropout");
  }
  // x' = x cos - y sin, y' = y cos + x sin of pairs (i, i + dim / 2).
  Tensor x = tensor_of({kNaN, 1, kInf, 0, 2, 1, 0, kInf}, {1, 8});
  const Tensor cosine = tensor_of(Doubles(4, 0.5), {4}), sine = tensor_of(Doubles(4, 0.25), {4});
  rope(c_, {x.as_mutable<float>(), 1, 8, 8}, 8, {cosine.as<float>(), 1, 4, 4},
       {sine.as<float>(), 1, 4, 4});
  const Doubles turned = values(x);
  for (const std::size_t i : {0u, 4u}) EXPECT_TRUE(std::isnan(turned[i]));
  EXPECT_EQ(turned[1], 0.25);
  EXPECT_EQ(turned[2], kInf);
  EXPECT_EQ(turned[6], kInf);
  EXPECT_EQ(turned[3], -kInf);
  EXPECT_EQ(turned[7], kInf);
}

}  // namespace
}  // namespace bitnet::ops
