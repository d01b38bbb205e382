// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/absmean.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "bitnet/base/half.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

std::vector<std::int8_t> quantized(const std::vector<float>& row, float gamma) {
  std::vector<std::uint8_t> packed(static_cast<std::size_t>(block128::row_bytes(std::ssize(row))));
  absmean::quantize_row(row, gamma, packed.data());
  std::vector<std::int8_t> weights(row.size());
  block128::unpack_row(packed.data(), std::ssize(row), weights.data());
  return weights;
}

TEST(Absmean, RoundsAsNearbyintAndClips) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> row(777);
  for (auto& w : row) w = normal(random);
  const float gamma = absmean::scale(absmean::row_sum(row), std::ssize(row)).value();
  const auto weights = quantized(row, gamma);
  for (std::size_t i = 0; i < row.size(); ++i)
    EXPECT_EQ(weights[i], std::clamp(std::nearbyint(row[i] * (1.0f / gamma)), -1.0f, 1.0f)) << i;
}

TEST(Absmean, HalvesGoToEven) {
  EXPECT_EQ(quantized({0.5f, -0.5f, 0.50000006f, -0.50000006f, 1.5f, -1.5f, 0.0f, 9.0f}, 1.0f),
            (std::vector<std::int8_t>{0, 0, 1, -1, 1, -1, 0, 1}));
}

TEST(Absmean, MeanIsThatOfExactArithmetic) {
  // Multiples of 2^-10 below 1: every partial sum is exact in double, whatever the order.
  std::vector<float> row(1003);
  double sum = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<float>(static_cast<int>(i * 53 % 1024) - 512) / 1024.0f;
    sum += std::fabs(row[i]);
  }
  EXPECT_EQ(absmean::row_sum(row), sum);
  EXPECT_EQ(absmean::scale(sum, 1003), static_cast<float>(sum / 1003));
}

TEST(Absmean, Bf16IsItsFloatValue) {
  std::mt19937 random(6);
  std::vector<std::uint16_t> bits(300);
  std::vector<float> row(300);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = f32_to_bf16(static_cast<float>(random() % 2001) / 1000.0f - 1.0f);
    row[i] = bf16_to_f32(bits[i]);
  }
  EXPECT_EQ(absmean::row_sum(bits), absmean::row_sum(row));
  std::vector<std::uint8_t> a(96), b(96);
  absmean::quantize_row(bits, 0.4f, a.data());
  absmean::quantize_row(row, 0.4f, b.data());
  EXPECT_EQ(a, b);
}

TEST(Absmean, RefusesWhatIsNotFinite) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> row(40, 0.1f);
    row[33] = bad;
    EXPECT_FALSE(absmean::scale(absmean::row_sum(row), 40));
  }
  EXPECT_EQ(absmean::scale(0.0, 7), 1e-5f);
}

}  // namespace
}  // namespace bitnet
