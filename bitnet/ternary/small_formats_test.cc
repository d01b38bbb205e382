// SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "bitnet/ternary/block160.h"
#include "bitnet/ternary/small_ints.h"

namespace bitnet {
namespace {

TEST(Block160, EveryRowComesBack) {
  std::mt19937 rng(1);
  for (std::int64_t columns = 1; columns < 500; columns += 1 + columns / 20) {
    std::vector<std::int8_t> weights(static_cast<std::size_t>(columns)), back(weights.size());
    for (auto& w : weights) w = std::int8_t(int(rng() % 3) - 1);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(block160::row_bytes(columns)));
    block160::pack_row(weights.data(), columns, row.data());
    block160::unpack_row(row.data(), columns, back.data());
    ASSERT_EQ(back, weights) << columns;
    EXPECT_FALSE(block160::find_bad_byte(row.data(), 0, 1, columns));
  }
}

TEST(Block160, TwoHundredFortyThreeBytesAreCodesAndTheOthersAreFound) {
  std::set<int> codes;
  std::int8_t w[160] = {};
  std::uint8_t row[32];
  for (int n = 0; n < 243; ++n) {
    for (int i = 0, left = n; i < 5; ++i, left /= 3) w[32 * i] = std::int8_t(left % 3 - 1);
    block160::pack_row(w, 160, row);
    codes.insert(row[0]);
  }
  EXPECT_EQ(codes.size(), 243u);
  for (int byte = 0; byte < 256; ++byte) {
    row[7] = std::uint8_t(byte);
    const auto fault = block160::find_bad_byte(row, 0, 1, 160);
    ASSERT_EQ(fault.has_value(), codes.count(byte) == 0) << byte;
    if (fault) {
      EXPECT_EQ(fault->column, 7);
      EXPECT_EQ(fault->value, byte);
    }
  }
}

TEST(SmallInts, EveryValueComesBackAndTheFirstLiesInTheLowBits) {
  std::mt19937 rng(2);
  for (const DType type : {DType::i4, DType::i2, DType::i1})
    for (std::int64_t columns = 1; columns < 40; ++columns) {
      std::vector<std::int8_t> values(static_cast<std::size_t>(columns)), back(values.size());
      const int low = int(info(type).lowest), range = int(info(type).highest) - low + 1;
      for (auto& v : values)
        v = std::int8_t(type == DType::i1 ? int(rng() % 2) * 2 - 1
                                          : low + int(rng() % unsigned(range)));
      std::vector<std::uint8_t> row(static_cast<std::size_t>(*row_bytes(type, columns)), 0xff);
      small_ints::pack_row(type, values.data(), columns, row.data());
      small_ints::unpack_row(type, row.data(), columns, back.data());
      ASSERT_EQ(back, values);
    }
  const std::int8_t four[] = {1, -8}, two[] = {-2, 1, 0, -1}, one[] = {1, -1, 1};
  std::uint8_t byte;
  small_ints::pack_row(DType::i4, four, 2, &byte);
  EXPECT_EQ(byte, 0x81);
  small_ints::pack_row(DType::i2, two, 4, &byte);
  EXPECT_EQ(byte, 0b11000110);
  small_ints::pack_row(DType::i1, one, 3, &byte);
  EXPECT_EQ(byte, 0b101);
}

}  // namespace
}  // namespace bitnet
