// SPDX-License-Identifier: MIT OR Apache-2.0
// Every packed format against the formula of its header, evaluated weight by weight.
#include "bitnet/ternary/formats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "bitnet/base/half.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Shape {
  std::int64_t rows, columns;
};

std::vector<std::int8_t> random_weights(Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int8_t> weights(static_cast<std::size_t>(shape.rows * shape.columns));
  for (auto& w : weights) w = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  return weights;
}

Bytes packed_block128(const std::vector<std::int8_t>& weights, Shape shape) {
  const std::int64_t stride = block128::row_bytes(shape.columns);
  Bytes out(static_cast<std::size_t>(shape.rows * stride), 0xff);
  for (std::int64_t r = 0; r < shape.rows; ++r)
    block128::pack_row(weights.data() + r * shape.columns, shape.columns, out.data() + r * stride);
  return out;
}

float group_scale_of(std::int64_t group) {
  return f16_to_f32(static_cast<std::uint16_t>(0x2000 + group % 7));
}

/// The code of weight (r, c) by the formulas in FORMATS: byte and bit looked up one at a time.
int code_by_formula(PackedFormat format, const Bytes& d, Shape s, std::int64_t r, std::int64_t c) {
  const std::int64_t e = r * s.columns + c;
  const auto at = [&](std::int64_t i) {
    return static_cast<int>(d.at(static_cast<std::size_t>(i)));
  };
  switch (format) {
    case PackedFormat::block128: {
      const std::int64_t j = c % 128;
      return (at(r * ((s.columns + 127) / 128 * 32) + c / 128 * 32 + j % 32) >>
              (6 - 2 * (j / 32))) &
             3;
    }
    case PackedFormat::i2_s_x86: {
      const std::int64_t j = e % 128;
      return (at(e / 128 * 32 + j % 32) >> (6 - 2 * (j / 32))) & 3;
    }
    case PackedFormat::i2_s_arm: {
      const std::int64_t j = e % 64;
      return (at(e / 64 * 16 + j % 16) >> (6 - 2 * (j / 16))) & 3;
    }
    case PackedFormat::i2_s_act_parallel:
      return (at(r / 4 * s.columns + c) >> (6 - 2 * (r % 4))) & 3;
    case PackedFormat::hf_packed: {
      const std::int64_t quarter = s.rows / 4;
      return (at(r % quarter * s.columns + c) >> (2 * (r / quarter))) & 3;
    }
    case PackedFormat::tq2_0: {
      const std::int64_t w = e % 256, j = w / 128 * 32, n = w % 128 / 32, m = w % 32;
      return (at(e / 256 * 66 + j + m) >> (2 * n)) & 3;
    }
    case PackedFormat::tq1_0: {
      const std::int64_t w = e % 256;
      std::int64_t byte = w % 32, n = w / 32;
      if (w >= 240)
        byte = 48 + (w - 240) % 4, n = (w - 240) / 4;
      else if (w >= 160)
        byte = 32 + (w - 160) % 16, n = (w - 160) / 16;
      int number = at(e / 256 * 54 + byte) * 243 / 256;  // floor inverts ceil(q * 256 / 243)
      for (std::int64_t k = n; k < 4; ++k) number /= 3;
      return number % 3;
    }
    case PackedFormat::lookup_tiles: {
      const std::int64_t groups = (s.columns + 255) / 256 * 256 / 5 + (s.columns > 0);
      const std::int64_t place = c / 256 * 256 + 64 * (c / 32 % 4) + 32 * (c / 128 % 2) + c % 32;
      const std::int64_t tile = r / 512,
                         strips = std::min<std::int64_t>(8, (s.rows + 63) / 64 - 8 * tile);
      const int byte =
          at(512 * tile * groups + (place % groups * strips + r % 512 / 64) * 64 + r % 64);
      for (int m = -121; m <= 121; ++m)
        if (lookup_tiles::byte_of(m) == byte)
          return (m + 121) / static_cast<int>(std::pow(3, place / groups)) % 3;
      return -1;
    }
  }
  return -1;
}

struct Case {
  PackedFormat format;
  Shape shape;
};

class Formats : public testing::TestWithParam<Case> {};

TEST_P(Formats, PacksByTheFormulaAndUnpacksToTheSameBytes) {
  const auto [format, shape] = GetParam();
  const auto weights = random_weights(shape, 1);
  const Bytes truth = packed_block128(weights, shape);
  std::vector<float> scales(
      static_cast<std::size_t>(shape.rows * std::max<std::int64_t>(1, shape.columns / 256)));
  for (std::size_t i = 0; i < scales.size(); ++i)
    scales[i] = group_scale_of(static_cast<std::int64_t>(i));

  const auto bytes = packed_bytes(format, shape.rows, shape.columns);
  ASSERT_TRUE(bytes.has_value());
  Bytes packed(*bytes, 0xff);
  ASSERT_FALSE(
      from_block128(format, truth.data(), shape.rows, shape.columns, scales.data(), packed.data()));
  for (std::int64_t r = 0; r < shape.rows; ++r)
    for (std::int64_t c = 0; c < shape.columns; ++c)
      ASSERT_EQ(code_by_formula(format, packed, shape, r, c) - 1,
                weights[static_cast<std::size_t>(r * shape.columns + c)])
          << r << "," << c;

  // Unpacked in two parts, as two threads would.
  const PackedMatrix matrix{format, packed.data(), shape.rows, shape.columns};
  Bytes back(truth.size(), 0xff);
  std::vector<float> scales_back(scales.size(), -1.0f);
  const std::int64_t units = num_units(matrix), middle = units / 3;
  ASSERT_FALSE(to_block128(matrix, middle, units, back.data(), scales_back.data()));
  ASSERT_FALSE(to_block128(matrix, 0, middle, back.data(), scales_back.data()));
  EXPECT_EQ(back, truth);
  if (format == PackedFormat::tq1_0 || format == PackedFormat::tq2_0) {
    EXPECT_EQ(scales_back, scales);
  }
}

TEST_P(Formats, NamesTheFirstWeightThatIsNotTernary) {
  const auto [format, shape] = GetParam();
  const Bytes truth = packed_block128(random_weights(shape, 2), shape);
  const std::vector<float> scales(
      static_cast<std::size_t>(shape.rows * std::max<std::int64_t>(1, shape.columns / 256)), 1.0f);
  Bytes packed(*packed_bytes(format, shape.rows, shape.columns));
  ASSERT_FALSE(
      from_block128(format, truth.data(), shape.rows, shape.columns, scales.data(), packed.data()));
  std::mt19937 random(3);
  const bool tiles = format == PackedFormat::lookup_tiles;
  const auto tile_bytes =
      static_cast<std::size_t>(lookup_tiles::code_bytes(shape.rows, shape.columns));
  const std::size_t block = format == PackedFormat::tq1_0   ? 54
                            : format == PackedFormat::tq2_0 ? 66
                                                            : packed.size();
  const std::size_t code_bytes = format == PackedFormat::tq1_0   ? 52
                                 : format == PackedFormat::tq2_0 ? 64
                                 : tiles                         ? tile_bytes
                                                                 : packed.size();
  for (int round = 0; round < 40; ++round) {
    Bytes broken = packed;
    std::size_t at = random() % packed.size();
    if (at % block >= code_bytes) continue;
    broken[at] = format == PackedFormat::tq1_0 ? std::uint8_t{0x14}
                 : tiles                       ? std::uint8_t{0x7f}
                                               : static_cast<std::uint8_t>(broken[at] | 0x30);
    Bytes out(truth.size());
    std::vector<float> scales_out(scales.size());
    const PackedMatrix matrix{format, broken.data(), shape.rows, shape.columns};
    const auto fault = to_block128(matrix, 0, num_units(matrix), out.data(), scales_out.data());
    ASSERT_TRUE(fault.has_value()) << at;
    EXPECT_EQ(fault->kind, TernaryFault::Kind::code);
    if (tiles) {
      EXPECT_EQ(fault->value, 0x7f);
      continue;
    }
    if (format == PackedFormat::tq1_0) {
      EXPECT_EQ(fault->value, 0x14);
      const std::size_t byte = at % 54, first_weight = byte < 32   ? byte
                                                       : byte < 48 ? 128 + byte
                                                                   : 192 + byte;
      EXPECT_EQ(fault->row * shape.columns + fault->column,
                static_cast<std::int64_t>(at / 54 * 256 + first_weight));
      continue;
    }
    std::int64_t first = 0;
    while (first < shape.rows * shape.columns &&
           code_by_formula(format, broken, shape, first / shape.columns, first % shape.columns) !=
               3)
      ++first;
    if (first == shape.rows * shape.columns) continue;  // the padding of a block128 row
    EXPECT_EQ(fault->row * shape.columns + fault->column, first);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Formats,
    testing::Values(Case{PackedFormat::block128, {3, 128}}, Case{PackedFormat::block128, {5, 200}},
                    Case{PackedFormat::block128, {2, 1}}, Case{PackedFormat::i2_s_x86, {6, 384}},
                    Case{PackedFormat::i2_s_x86, {8, 208}}, Case{PackedFormat::i2_s_x86, {128, 7}},
                    Case{PackedFormat::i2_s_arm, {6, 320}}, Case{PackedFormat::i2_s_arm, {64, 51}},
                    Case{PackedFormat::i2_s_act_parallel, {12, 256}},
                    Case{PackedFormat::i2_s_act_parallel, {8, 77}},
                    Case{PackedFormat::hf_packed, {12, 256}},
                    Case{PackedFormat::hf_packed, {20, 177}}, Case{PackedFormat::hf_packed, {4, 5}},
                    Case{PackedFormat::tq1_0, {5, 512}}, Case{PackedFormat::tq2_0, {5, 768}},
                    Case{PackedFormat::lookup_tiles, {1, 1}},
                    Case{PackedFormat::lookup_tiles, {64, 256}},
                    Case{PackedFormat::lookup_tiles, {577, 300}},
                    Case{PackedFormat::lookup_tiles, {130, 1281}}),
    [](const auto& test) {
      return std::string(name(test.param.format)) + "_" + std::to_string(test.param.shape.columns);
    });

TEST(PackedBytes, RefusesShapesThatDoNotFit) {
  EXPECT_FALSE(packed_bytes(PackedFormat::hf_packed, 6, 128));
  EXPECT_FALSE(packed_bytes(PackedFormat::i2_s_act_parallel, 6, 128));
  EXPECT_FALSE(packed_bytes(PackedFormat::i2_s_x86, 3, 64));
  EXPECT_FALSE(packed_bytes(PackedFormat::tq1_0, 2, 128));
  EXPECT_FALSE(packed_bytes(PackedFormat::tq2_0, 1, 257));
  EXPECT_FALSE(packed_bytes(PackedFormat::block128, 0, 128));
  EXPECT_FALSE(packed_bytes(PackedFormat::block128, INT64_MAX, INT64_MAX));
  EXPECT_FALSE(packed_bytes(PackedFormat::tq2_0, INT64_MAX, 256));
  for (const std::int64_t most : {INT64_MAX, INT64_MAX - 256, INT64_MAX / 4})
    for (const std::int64_t other : {std::int64_t{1}, most})
      EXPECT_FALSE(packed_bytes(PackedFormat::lookup_tiles, other, most) &&
                   packed_bytes(PackedFormat::lookup_tiles, most, other))
          << most << " " << other;
  EXPECT_EQ(packed_bytes(PackedFormat::lookup_tiles, 1, 1), 64u * (52 + 4));
  EXPECT_EQ(packed_bytes(PackedFormat::i2_s_x86, 2, 64), 32u);
}

TEST(Block128, AlwaysThreeMeansRefusedOnEveryByte) {
  Bytes row(64, 0x55);
  for (std::size_t i = 0; i < row.size(); ++i)
    for (unsigned field = 0; field < 4; ++field) {
      Bytes bad = row;
      bad[i] = static_cast<std::uint8_t>(bad[i] | (3u << (2 * field)));
      const auto fault = block128::find_bad_code(bad.data(), 0, 1, 256);
      ASSERT_TRUE(fault);
      EXPECT_EQ(block128::code_at(bad.data(), fault->column), 3u);
    }
  EXPECT_FALSE(block128::find_bad_code(row.data(), 0, 1, 256));
}

TEST(Block128, PadsWithZeroWeights) {
  const std::vector<std::int8_t> weights(130, 1);
  const Bytes row = packed_block128(weights, {1, 130});
  for (std::int64_t c = 0; c < 256; ++c)
    EXPECT_EQ(block128::code_at(row.data(), c), c < 130 ? 2u : 1u) << c;
}

TEST(Block128, CountsAndDotsAsTheUnpackedWeightsDo) {
  for (const std::int64_t columns : {1, 31, 128, 200, 1000}) {
    const Shape shape{4, columns};
    const auto weights = random_weights(shape, static_cast<unsigned>(columns));
    const Bytes packed = packed_block128(weights, shape);
    EXPECT_EQ(block128::count_zeros(packed.data(), 4, columns),
              std::count(weights.begin(), weights.end(), std::int8_t{0}));
    std::vector<std::int8_t> back(static_cast<std::size_t>(columns)), x(back.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::int8_t>(i * 37 % 256 - 128);
    for (std::int64_t r = 0; r < 4; ++r) {
      const std::uint8_t* row = packed.data() + r * block128::row_bytes(columns);
      block128::unpack_row(row, columns, back.data());
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        EXPECT_EQ(back[i], weights[static_cast<std::size_t>(r * columns) + i]);
        sum += std::int64_t{back[i]} * x[i];
      }
      EXPECT_EQ(block128::dot_reference(row, x.data(), columns), sum);
    }
  }
}

TEST(GroupScales, RefusedUnlessFiniteAndPositive) {
  for (const PackedFormat format : {PackedFormat::tq1_0, PackedFormat::tq2_0}) {
    const Shape shape{1, 512};
    const Bytes truth = packed_block128(std::vector<std::int8_t>(512, 1), shape);
    const float scales[2] = {1, 1};
    Bytes packed(*packed_bytes(format, 1, 512)), out(truth.size());
    ASSERT_FALSE(from_block128(format, truth.data(), 1, 512, scales, packed.data()));
    for (const unsigned bits : {0x7e00u, 0x7c00u, 0xfc00u, 0x0000u, 0x8000u, 0xbc00u}) {
      packed[packed.size() - 2] = static_cast<std::uint8_t>(bits & 0xff);
      packed[packed.size() - 1] = static_cast<std::uint8_t>(bits >> 8);
      float scales_out[2];
      const auto fault = to_block128({format, packed.data(), 1, 512}, 0, 1, out.data(), scales_out);
      ASSERT_TRUE(fault) << bits;
      EXPECT_EQ(fault->kind, TernaryFault::Kind::scale);
      EXPECT_EQ(fault->column, 256);
    }
    for (const float scale : {0.0f, -1.0f, 1e6f, 1e-9f, NAN}) {
      const float bad[2] = {1, scale};
      const auto fault = from_block128(format, truth.data(), 1, 512, bad, packed.data());
      ASSERT_TRUE(fault) << scale;
      EXPECT_EQ(fault->kind, TernaryFault::Kind::scale);
    }
  }
}

TEST(GroupScales, ZeroGroupsTakeAnyScaleThatIsANumberNotNegative) {
  for (const PackedFormat format : {PackedFormat::tq1_0, PackedFormat::tq2_0}) {
    const Bytes truth(64, 0x55);
    Bytes packed(*packed_bytes(format, 1, 256)), out(64);
    const float one = 1;
    ASSERT_FALSE(from_block128(format, truth.data(), 1, 256, &one, packed.data()));
    const auto fault_with = [&](unsigned bits) {
      packed[packed.size() - 2] = static_cast<std::uint8_t>(bits & 0xff);
      packed[packed.size() - 1] = static_cast<std::uint8_t>(bits >> 8);
      float scale = -1;
      const auto fault = to_block128({format, packed.data(), 1, 256}, 0, 1, out.data(), &scale);
      EXPECT_TRUE(fault || scale == 0.0f);
      return fault.has_value();
    };
    EXPECT_FALSE(fault_with(0x0000));
    EXPECT_FALSE(fault_with(0x3c00));
    EXPECT_TRUE(fault_with(0xbc00));
    EXPECT_TRUE(fault_with(0x7c00));
    EXPECT_TRUE(fault_with(0x7e00));
  }
}

TEST(GroupScales, OneScaleForAllNonZeroGroups) {
  const float same[] = {0, 0.5f, 0, 0.5f}, different[] = {0.5f, 0.25f}, none[] = {0, 0};
  EXPECT_EQ(common_scale(same, 4), 0.5f);
  EXPECT_EQ(common_scale(different, 2), std::nullopt);
  EXPECT_EQ(common_scale(none, 2), 0.0f);
}

}  // namespace
}  // namespace bitnet
