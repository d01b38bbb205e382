// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "bitnet/runtime/runtime.h"
#include "bitnet/ternary/activations.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

constexpr std::int64_t kTokens = 3, kRows = 21, kCols = 600, kGroupCols = 256, kGroups = 3;

// Random weights and activations, and what the header says they give, from the quantized integers.
class TernaryLinearOp : public ::testing::Test {
 protected:
  TernaryLinearOp() : weights_(kRows * kCols), x_(kTokens * kCols) {
    matrix_.codes = Tensor::allocate(DType::ternary2, {kRows, kCols});
    for (auto& w : weights_) w = static_cast<std::int8_t>(static_cast<int>(random_() % 3) - 1);
    for (auto& v : x_) v = static_cast<float>(random_() % 2001) / 1000.0f - 1.0f;
    for (std::int64_t r = 0; r < kRows; ++r)
      block128::pack_row(weights_.data() + r * kCols, kCols,
                         reinterpret_cast<std::uint8_t*>(matrix_.codes.mutable_data()) +
                             r * matrix_.codes.row_stride_bytes());
    quantize(runtime_.context(), {x_.data(), kTokens, kCols, kCols}, rows_);
  }

  std::vector<float> scales(std::int64_t count) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i)
      values.push_back(0.25f + static_cast<float>(random_() % 1000) / 1000.0f);
    return values;
  }

  std::vector<float> run() {
    std::vector<float> out(kTokens * kRows);
    ternary_linear(runtime_.context(), matrix_, rows_, {out.data(), kTokens, kRows, kRows},
                   scratch_);
    return out;
  }

  std::int32_t sum(std::int64_t t, std::int64_t r, std::int64_t begin, std::int64_t end) const {
    std::int32_t total = 0;
    for (std::int64_t k = begin; k < end; ++k)
      total += weights_[static_cast<std::size_t>(r * kCols + k)] *
               rows_.q()[t * rows_.stride() + pair_order_index(k)];
    return total;
  }

  template <class Expected>
  void expect(const Expected& expected) {
    const std::vector<float> out = run();
    for (std::int64_t t = 0; t < kTokens; ++t)
      for (std::int64_t r = 0; r < kRows; ++r)
        ASSERT_EQ(out[static_cast<std::size_t>(t * kRows + r)], expected(t, r)) << t << " " << r;
  }

  std::mt19937 random_{1};
  Runtime runtime_{2};
  std::vector<std::int8_t> weights_;
  std::vector<float> x_;
  TernaryMatrix matrix_;
  QuantizedRows rows_{kTokens, kCols, default_pool()};
  LinearScratch scratch_{kTokens, kRows, default_pool()};
};

TEST_F(TernaryLinearOp, OneScale) {
  matrix_.scale = 0.37f;
  expect([&](std::int64_t t, std::int64_t r) {
    return static_cast<float>(sum(t, r, 0, kCols)) * (0.37f / rows_.scale()[t]);
  });
}

TEST_F(TernaryLinearOp, AScaleForEachRow) {
  matrix_.granularity = ScaleGranularity::row;
  matrix_.scales = scales(kRows);
  expect([&](std::int64_t t, std::int64_t r) {
    return static_cast<float>(sum(t, r, 0, kCols)) * (1.0f / rows_.scale()[t]) *
           matrix_.scales[static_cast<std::size_t>(r)];
  });
}

TEST_F(TernaryLinearOp, AScaleForEachGroup) {
  matrix_.granularity = ScaleGranularity::group;
  matrix_.group_cols = kGroupCols;
  matrix_.scales = scales(kRows * kGroups);
  expect([&](std::int64_t t, std::int64_t r) {
    float y = 0.0f;
    for (std::int64_t g = 0; g < kGroups; ++g) {
      const std::int64_t end = std::min((g + 1) * kGroupCols, kCols);
      y = std::fma(static_cast<float>(sum(t, r, g * kGroupCols, end)) * (1.0f / rows_.scale()[t]),
                   matrix_.scales[static_cast<std::size_t>(r * kGroups + g)], y);
    }
    return y;
  });
}

TEST_F(TernaryLinearOp, ShapesThatDoNotMatchAreRefused) {
  std::vector<float> out(kTokens * kRows);
  const auto into = [&](std::int64_t tokens, std::int64_t cols) {
    ternary_linear(runtime_.context(), matrix_, rows_, {out.data(), tokens, cols, cols}, scratch_);
  };
  EXPECT_THROW(into(kTokens - 1, kRows), Error);
  EXPECT_THROW(into(kTokens, kRows - 1), Error);
  matrix_.granularity = ScaleGranularity::row;
  matrix_.scales = scales(kRows - 1);
  EXPECT_THROW(run(), Error);
  matrix_.granularity = ScaleGranularity::group;
  matrix_.group_cols = 128;
  EXPECT_THROW(run(), Error);
}

}  // namespace
}  // namespace bitnet
