// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/ggml_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/half.h"

namespace bitnet {
namespace {

std::vector<float> normal_row(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> row(count);
  for (float& value : row) value = normal(random);
  return row;
}

std::vector<float> through(DType type, const std::vector<float>& row) {
  std::vector<std::byte> bytes(*row_bytes(type, std::ssize(row)));
  quantize_row(type, row, bytes);
  std::vector<float> back(row.size());
  dequantize_row(type, bytes, back);
  return back;
}

TEST(GgmlBlocks, ErrorIsAtMostHalfAStepOfTheBlock) {
  const auto row = normal_row(1024, 1);
  const struct {
    DType type;
    std::size_t group;
    float steps;  // largest error in units of the group's largest value
  } cases[] = {{DType::f32, 1, 0},         {DType::f16, 1, 0.0005f}, {DType::bf16, 1, 0.004f},
               {DType::q8_0, 32, 0.0045f}, {DType::q4_0, 32, 0.13f}, {DType::q6_k, 16, 0.04f}};
  for (const auto& test : cases) {
    const auto back = through(test.type, row);
    for (std::size_t i = 0; i < row.size(); ++i) {
      float largest = 0;
      for (std::size_t j = i / test.group * test.group; j < (i / test.group + 1) * test.group; ++j)
        largest = std::max(largest, std::fabs(row[j]));
      EXPECT_LE(std::fabs(back[i] - row[i]), test.steps * largest)
          << info(test.type).name << " " << i;
    }
  }
}

TEST(GgmlBlocks, Q8_0ByHand) {
  std::vector<std::byte> block(34);
  const std::uint16_t d = f32_to_f16(0.5f);
  block[0] = std::byte(d & 0xff);
  block[1] = std::byte(d >> 8);
  block[2] = std::byte(0x80);  // -128
  block[33] = std::byte(0x7f);
  std::vector<float> out(32);
  dequantize_row(DType::q8_0, block, out);
  EXPECT_EQ(out[0], -64.0f);
  EXPECT_EQ(out[1], 0.0f);
  EXPECT_EQ(out[31], 63.5f);
}

TEST(GgmlBlocks, TheLargestValueOfABlockIsExact) {
  // Q4_0 and Q6_K give it the code -8 or -32, whatever its sign.
  for (const float largest : {8.0f, -8.0f}) {
    std::vector<float> row(256, 0.5f);
    row[40] = largest;
    for (const DType type : {DType::q4_0, DType::q6_k}) EXPECT_EQ(through(type, row)[40], largest);
  }
}

TEST(GgmlBlocks, AllZeroRowsStayZero) {
  const std::vector<float> zeros(256, 0.0f);
  for (const DType type : {DType::q8_0, DType::q4_0, DType::q6_k})
    EXPECT_EQ(through(type, zeros), zeros);
}

TEST(GgmlBlocks, RefuseWhatDoesNotFit) {
  std::vector<float> values(32, 1.0f);
  std::vector<std::byte> row(34), shorter(33);
  EXPECT_THROW(quantize_row(DType::q8_0, values, shorter), Error);
  EXPECT_THROW(quantize_row(DType::q6_k, values, row), Error);
  EXPECT_THROW(dequantize_row(DType::q8_0, shorter, values), Error);
  EXPECT_THROW(dequantize_row(DType::ternary2, std::vector<std::byte>(32), values), Error);
  for (const float bad : {NAN, INFINITY, 1e30f}) {
    values[5] = bad;
    EXPECT_THROW(quantize_row(DType::q8_0, values, row), Error);
  }
  for (const float tiny : {1e-45f, 1e-38f}) {
    std::fill(values.begin(), values.end(), tiny);
    quantize_row(DType::q8_0, values, row);
  }
}

}  // namespace
}  // namespace bitnet
