// SPDX-License-Identifier: MIT OR Apache-2.0
// Tiles of a file: what is accepted is what pack() makes, and nothing else.
#include "bitnet/ternary/lookup_tiles.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "bitnet/ternary/block128.h"

namespace bitnet::lookup_tiles {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Matrix {
  std::int64_t rows, cols;
  Bytes block128, tiles;

  Matrix(std::int64_t r, std::int64_t c, unsigned seed) : rows(r), cols(c) {
    std::mt19937 random(seed);
    const std::int64_t stride = block128::row_bytes(cols);
    block128.resize(static_cast<std::size_t>(rows * stride));
    std::vector<std::int8_t> row(static_cast<std::size_t>(cols));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (auto& w : row) w = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
      block128::pack_row(row.data(), cols, block128.data() + i * stride);
    }
    tiles = pack_all(block128);
  }
  Bytes pack_all(const Bytes& from) const {
    Bytes to(static_cast<std::size_t>(bytes(rows, cols)), 0xAA);
    pack(from.data(), block128::row_bytes(cols), rows, cols, 0, strips(rows), to.data());
    return to;
  }
  auto fault(const Bytes& of) const { return find_fault(of.data(), rows, cols, 0, strips(rows)); }
};

constexpr std::int64_t kShapes[][2] = {{1, 1},     {3, 129},   {64, 256},  {65, 640},  {130, 300},
                                       {577, 257}, {70, 1281}, {128, 320}, {200, 1407}};

TEST(LookupTiles, UnpackIsTheInverseOfPack) {
  for (const auto& [rows, cols] : kShapes) {
    const Matrix m(rows, cols, 1);
    ASSERT_FALSE(m.fault(m.tiles)) << rows << "x" << cols;
    Bytes back(m.block128.size(), 0xFF);
    const std::int64_t middle = strips(rows) / 2;  // as two threads would
    unpack(m.tiles.data(), rows, cols, middle, strips(rows), back.data());
    unpack(m.tiles.data(), rows, cols, 0, middle, back.data());
    EXPECT_EQ(back, m.block128) << rows << "x" << cols;
  }
}

// Of every bit that can turn: either another matrix with its numbers of negatives, or a fault of
// that row. So no byte can be there that a table of 128 entries or a sum of 16 bits has no room
// for.
TEST(LookupTiles, AnyOtherBitIsAFaultOfItsRow) {
  for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{3, 129}, {65, 257}}) {
    const Matrix m(rows, cols, 2);
    const auto codes = static_cast<std::size_t>(code_bytes(rows, cols));
    std::size_t accepted = 0;
    for (std::size_t at = 0; at<m.tiles.size(); at += rows> 64 ? 29 : 1)
      for (int bit = 0; bit < 8; ++bit) {
        Bytes other = m.tiles;
        other[at] = static_cast<std::uint8_t>(other[at] ^ 1 << bit);
        const auto fault = m.fault(other);
        if (!fault) {
          ++accepted;
          Bytes back(m.block128.size());
          unpack(other.data(), rows, cols, 0, strips(rows), back.data());
          ASSERT_EQ(m.pack_all(back), other) << at << " bit " << bit;
          continue;
        }
        const bool in_codes = at < codes;
        const std::int64_t row = in_codes ? -1 : static_cast<std::int64_t>(at - codes) / 4;
        if (in_codes && bit == 7) {
          EXPECT_TRUE(fault->kind == TernaryFault::Kind::count || fault->value == other[at] ||
                      fault->row >= rows);
        }
        if (!in_codes) {
          ASSERT_EQ(fault->kind, TernaryFault::Kind::count);
          ASSERT_EQ(fault->row, row);
        }
      }
    EXPECT_GT(accepted, 0u);
  }
}

TEST(LookupTiles, EveryByteThatStandsForNoWeightsIsNamed) {
  const Matrix m(64, 256, 3);
  int foreign = 0;
  for (int byte = 0; byte < 256; ++byte) {
    bool given = false;
    for (int w = -121; w <= 121; ++w) given = given || byte_of(w) == byte;
    foreign += !given;
    Bytes other = m.tiles;
    other[5 * 64 + 17] = static_cast<std::uint8_t>(byte);
    const auto fault = m.fault(other);
    ASSERT_EQ(fault && fault->kind == TernaryFault::Kind::code, !given) << byte;
    if (given) continue;
    EXPECT_EQ(fault->row, 17);
    EXPECT_EQ(fault->column, 5);
    EXPECT_EQ(fault->value, byte);
  }
  EXPECT_EQ(foreign, 256 - 243);
}

// Rows that fill a strip and columns that fill a pair of blocks are zeros.
TEST(LookupTiles, WeightsOutsideTheMatrixAreFaults) {
  const Matrix m(3, 129, 4), full(3, 1280, 4);  // 1280: no columns are filled up
  const std::int64_t count = groups(m.cols);
  Bytes row = full.tiles, column = m.tiles;
  row[static_cast<std::size_t>(2 * 64 + 3)] = byte_of(1);
  const auto of_row = full.fault(row);
  ASSERT_TRUE(of_row);
  EXPECT_EQ(of_row->row, 3);
  std::int64_t g = 0;  // a group whose first weight is of no column
  while (column_at(g) < m.cols) ++g;
  ASSERT_LT(g, count);
  column[static_cast<std::size_t>(g * 64)] = byte_of(1);
  const auto of_column = m.fault(column);
  ASSERT_TRUE(of_column);
  EXPECT_EQ(of_column->kind, TernaryFault::Kind::code);
  EXPECT_EQ(of_column->row, 0);
}

}  // namespace
}  // namespace bitnet::lookup_tiles
