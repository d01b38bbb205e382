// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>

namespace bitnet {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kBound = 4e-16;

// long double has 64 bits of mantissa on x86 and 113 (in software) on Arm: an oracle either way.
double relative_error(double actual, long double expected) {
  if (expected == 0) return actual == 0 ? 0 : kInf;
  return static_cast<double>(std::fabs((actual - expected) / expected));
}

TEST(DetExp, IsWithinBoundOfLibm) {
  std::mt19937_64 rng(1);
  std::uniform_real_distribution<double> wide(-708.0, 709.7), narrow(-1.0, 1.0);
  for (int i = 0; i < 200000; ++i)
    for (const double x : {wide(rng), narrow(rng), narrow(rng) * 1e-9})
      ASSERT_LE(relative_error(det_exp(x), std::exp(static_cast<long double>(x))), kBound) << x;
}

TEST(DetExp, EndsAreExact) {
  EXPECT_EQ(det_exp(0.0), 1.0);
  EXPECT_EQ(det_exp(-0.0), 1.0);
  EXPECT_EQ(det_exp(710.0), kInf);
  EXPECT_EQ(det_exp(kInf), kInf);
  EXPECT_EQ(det_exp(-kInf), 0.0);
  EXPECT_EQ(det_exp(-746.5), 0.0);
  EXPECT_EQ(det_exp(-745.0), std::numeric_limits<double>::denorm_min());
  EXPECT_TRUE(std::isnan(det_exp(kNan)));
  for (double x = -745.0; x < -708.0; x += 0.37)
    EXPECT_NEAR(det_exp(x), std::exp(x), std::numeric_limits<double>::denorm_min());
}

TEST(DetLog, IsWithinBoundOfLibm) {
  std::mt19937_64 rng(2);
  std::uniform_real_distribution<double> exponent(-1074, 1024), near(0.5, 2.0), tiny(-1e-7, 1e-7);
  for (int i = 0; i < 200000; ++i)
    for (const double x : {std::exp2(exponent(rng)), near(rng), 1.0 + tiny(rng)})
      if (x > 0) {
        ASSERT_LE(relative_error(det_log(x), std::log(static_cast<long double>(x))), kBound) << x;
      }
}

TEST(DetLog, EndsAreExact) {
  EXPECT_EQ(det_log(1.0), 0.0);
  EXPECT_EQ(det_log(0.0), -kInf);
  EXPECT_EQ(det_log(-0.0), -kInf);
  EXPECT_EQ(det_log(kInf), kInf);
  EXPECT_TRUE(std::isnan(det_log(-1.0)));
  EXPECT_TRUE(std::isnan(det_log(kNan)));
  EXPECT_LE(relative_error(det_log(0x1p-1074), -1074 * std::numbers::ln2_v<long double>), kBound);
}

TEST(DetSincos, IsWithinBoundOfLibm) {
  std::mt19937_64 rng(3);
  std::uniform_real_distribution<double> small(-10, 10), rope(-1e6, 1e6), wide(-0x1p30, 0x1p30);
  const auto check = [](double x) {
    double s = 0, c = 0;
    det_sincos(x, &s, &c);
    ASSERT_LE(relative_error(s, std::sin(static_cast<long double>(x))), kBound) << x;
    ASSERT_LE(relative_error(c, std::cos(static_cast<long double>(x))), kBound) << x;
  };
  for (int i = 0; i < 200000; ++i)
    for (const double x : {small(rng), rope(rng), wide(rng)}) check(x);
  // Next to multiples of pi / 2 nearly everything cancels.
  for (int n = 1; n < 200000; n += 7) {
    const double x = n * (std::numbers::pi / 2);
    check(x);
    check(std::nextafter(x, 0.0));
    check(std::nextafter(x, kInf));
  }
}

TEST(DetSincos, EndsAreExact) {
  double s = 1, c = 0;
  det_sincos(0.0, &s, &c);
  EXPECT_EQ(s, 0.0);
  EXPECT_EQ(c, 1.0);
  for (const double x : {kInf, -kInf, kNan, 0x1p30, -0x1p30}) {
    det_sincos(x, &s, &c);
    EXPECT_TRUE(std::isnan(s) && std::isnan(c)) << x;
  }
}

// The promise itself: these bits were computed once; another compiler or CPU must find them again.
TEST(DetMath, BitsAreTheSameEverywhere) {
  std::uint64_t hash = 1469598103934665603u;
  const auto add = [&](double v) {
    hash = (hash ^ std::bit_cast<std::uint64_t>(v)) * 1099511628211u;
  };
  std::uint64_t state = 1;
  for (int i = 0; i < 100000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) * 0x1p-53;
    double s = 0, c = 0;
    det_sincos((u - 0.5) * 2e6, &s, &c);
    add(s);
    add(c);
    add(det_exp((u - 0.5) * 1400));
    add(det_log(u + 0x1p-60));
  }
  EXPECT_EQ(hash, 5324787456498571069u);
}

}  // namespace
}  // namespace bitnet
