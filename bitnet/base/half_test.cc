// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bitnet {
namespace {

// The oracle: the half values around a float, found by stepping through all of them.
float f16_by_definition(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return static_cast<float>(bits & 0x8000 ? -magnitude : magnitude);
}

TEST(Half, EveryF16ValueIsItsDefinitionAndRoundTrips) {
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = f16_to_f32(bits);
    if ((bits & 0x7c00) == 0x7c00) {
      EXPECT_EQ(std::isinf(value), (bits & 0x3ff) == 0);
      EXPECT_EQ(std::isnan(value), std::isnan(f16_to_f32(f32_to_f16(value))));
      if (std::isinf(value)) {
        EXPECT_EQ(f32_to_f16(value), bits);
      }
      continue;
    }
    ASSERT_EQ(value, f16_by_definition(bits)) << i;
    ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << i;
    ASSERT_EQ(f32_to_f16(value), bits) << i;
  }
}

TEST(Half, F16RoundsToNearestEven) {
  for (int i = 0; i < 0x7bff; ++i) {
    const auto low = static_cast<std::uint16_t>(i);
    const double a = f16_by_definition(low),
                 b = f16_by_definition(static_cast<std::uint16_t>(i + 1));
    const auto middle = static_cast<float>((a + b) / 2);  // exact: 12 bits
    const std::uint16_t even = low % 2 == 0 ? low : static_cast<std::uint16_t>(i + 1);
    ASSERT_EQ(f32_to_f16(middle), even) << i;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), low) << i;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), i + 1) << i;
  }
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
}

TEST(Half, Bf16RoundsToNearestEvenAndKeepsNan) {
  for (std::uint32_t i = 0; i < 0x7f80; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    ASSERT_EQ(f32_to_bf16(bf16_to_f32(bits)), bits);
    const float middle = std::bit_cast<float>((i << 16) | 0x8000u);
    ASSERT_EQ(f32_to_bf16(middle), i % 2 == 0 ? i : i + 1);
  }
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace bitnet
