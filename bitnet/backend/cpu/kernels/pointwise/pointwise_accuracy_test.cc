// SPDX-License-Identifier: MIT OR Apache-2.0
// How far the functions of one float are from the correctly rounded result, in units in its last
// place. BITNET_ALL_FLOATS=1 tries all 2^32
// (one to two minutes a function), which the bounds below were measured with; the suite every
// 997th.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"

namespace bitnet::cpu {
namespace {

struct Case {
  const char* name;
  UnaryOp op;
  double (*exact)(double);
  double most;  // ulp
  /// Below it the error counts in units of its own last place: silu and the GELUs are products with
  /// a factor that is denormal there.
  double least = 0x1p-126;
};

double normal_below(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }
double tanh_argument(double x) { return 1.5957691216057308 * (x + 0.044715 * x * x * x); }
double logistic(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

const Case kCases[] = {
    {"sqrt", UnaryOp::sqrt, [](double x) { return std::sqrt(x); }, 0.5001},
    {"rsqrt", UnaryOp::rsqrt, [](double x) { return 1 / std::sqrt(x); }, 1.5},
    {"reciprocal", UnaryOp::reciprocal, [](double x) { return 1 / x; }, 0.5001},
    {"exp", UnaryOp::exp, [](double x) { return std::exp(x); }, 0.9},
    {"log", UnaryOp::log, [](double x) { return std::log(x); }, 0.95},
    {"sigmoid", UnaryOp::sigmoid, logistic, 2.8},
    {"silu", UnaryOp::silu, [](double x) { return x * logistic(x); }, 3.6, 0x1p-119},
    {"tanh", UnaryOp::tanh, [](double x) { return std::tanh(x); }, 1.5},
    {"gelu", UnaryOp::gelu, [](double x) { return x * normal_below(x); }, 5.5, 0x1p-119},
    {"gelu_tanh", UnaryOp::gelu_tanh, [](double x) { return x * logistic(tanh_argument(x)); }, 3.7,
     0x1p-119},
};

// Distance in units in the last place of a float like `exact`, or like `least` where that is more.
double ulps(float got, double exact, double least = 0x1p-126) {
  const float near = float(exact);
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  if (std::isinf(near) || std::isinf(got)) return got == near ? 0 : 1e9;
  int exponent;
  std::frexp(std::max(std::fabs(exact), least), &exponent);
  return std::fabs(double(got) - exact) / std::ldexp(1.0, exponent - 24);
}

class Accuracy : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(OfEveryFloat, Accuracy, ::testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(Accuracy, IsWithinItsBound) {
  const Case& c = GetParam();
  const char* all = std::getenv("BITNET_ALL_FLOATS");
  const std::uint64_t step = all && std::strcmp(all, "1") == 0 ? 1 : 997;
  const PointwiseKernels kernels = choose(pointwise_kernels(), isa::active()).run();
  std::vector<float> x(65536), y(65536);
  double worst = 0;
  float at = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32);) {
    std::size_t n = 0;
    for (; n < x.size() && bits < (std::uint64_t{1} << 32); bits += step)
      x[n++] = std::bit_cast<float>(std::uint32_t(bits));
    kernels.unary({x.data(), y.data(), std::int64_t(n), c.op, 0, 0});
    for (std::size_t i = 0; i < n; ++i) {
      const double error = ulps(y[i], c.exact(double(x[i])), c.least);
      if (error > worst) worst = error, at = x[i];
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, c.most) << "at " << at;
}

TEST(PowAccuracy, IsWithinItsBoundOfTheExactPower) {
  std::mt19937 rng(5);
  const PointwiseKernels kernels = choose(pointwise_kernels(), isa::active()).run();
  std::vector<float> x(1 << 20), y(x.size()), z(x.size());
  std::uniform_real_distribution<float> exponent(-149, 128), power(-127, 127);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = std::exp2(exponent(rng));
    // Results spread over the whole range.
    y[i] =
        i % 2 ? float(double(power(rng)) / std::log2(double(x[i]))) : float(int(rng() % 41) - 20);
    if (y[i] == std::floor(y[i]) && rng() % 2) x[i] = -x[i];
  }
  kernels.binary({x.data(), y.data(), 1, 1, z.data(), std::int64_t(x.size()), BinaryOp::pow, 0, 0});
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = ulps(z[i], std::pow(double(x[i]), double(y[i])));
    if (error > worst) worst = error, at = i;
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, 3.5) << x[at] << " to " << y[at];
}

TEST(PowAccuracy, SpecialCasesAreThoseOfC) {
  const float v[] = {0.0f,        -0.0f,        1.0f,       -1.0f,         2.0f,
                     -2.0f,       3.0f,         -3.0f,      0.5f,          -0.5f,
                     1e-40f,      -1e-40f,      1e38f,      -1e38f,        16777217.0f,
                     16777215.0f, -16777215.0f, 8388609.0f, 2147483648.0f, INFINITY,
                     -INFINITY,   NAN,          2.5f,       -2.5f,         8388607.5f};
  const PointwiseKernels kernels = pointwise_reference();
  for (const float x : v)
    for (const float y : v) {
      float z;
      kernels.binary({&x, &y, 1, 1, &z, 1, BinaryOp::pow, 0, 0});
      const float expected = float(std::pow(double(x), double(y)));
      EXPECT_TRUE(ulps(z, std::pow(double(x), double(y))) <= 3.5) << x << " " << y << " " << z;
      if (!std::isnan(expected)) {
        EXPECT_EQ(std::signbit(z), std::signbit(expected)) << x << " " << y;
      }
    }
}

}  // namespace
}  // namespace bitnet::cpu
