// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"

#include <cstring>

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

using namespace lookup_tiles;

using Fns = const TernaryLookupFns;
class TernaryLookup : public KernelTest<Fns> {};
INSTANTIATE_TEST_SUITE_P(Kernels, TernaryLookup, ::testing::ValuesIn(ternary_lookup_kernels()),
                         kernel_name<Fns>);

struct Aligned {
  explicit Aligned(std::int64_t bytes) : storage(usize(bytes) + 64) {}
  std::uint8_t* data() {
    return storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
  }
  std::vector<std::uint8_t> storage;
};

std::vector<std::int8_t> random_weights(std::mt19937& rng, std::int64_t count) {
  std::vector<std::int8_t> w(usize(count));
  for (auto& v : w) v = static_cast<std::int8_t>(static_cast<int>(rng() % 3) - 1);
  return w;
}

// Rows of block128, and between them code 3, which nobody may meet.
std::vector<std::uint8_t> block128_rows(const std::vector<std::int8_t>& w, std::int64_t rows,
                                        std::int64_t cols, std::int64_t row_bytes) {
  std::vector<std::uint8_t> out(usize(rows * row_bytes), 0xFF);
  for (std::int64_t r = 0; r < rows; ++r)
    block128::pack_row(&w[usize(r * cols)], cols, &out[usize(r * row_bytes)]);
  return out;
}

std::vector<std::uint8_t> packed(Fns& fns, const std::vector<std::int8_t>& w, std::int64_t rows,
                                 std::int64_t cols, std::int64_t row_bytes) {
  Guarded<std::uint8_t> from(block128_rows(w, rows, cols, row_bytes));
  Guarded<std::uint8_t> out(usize(bytes(rows, cols)));
  Aligned scratch(lookup_pack_scratch(cols));
  const std::int64_t all = strips(rows), half = all / 2;
  LookupPackArgs args{from.data(), row_bytes, rows, cols, 0, half, out.data(), scratch.data()};
  fns.pack(args);
  args.begin = half, args.end = all;
  fns.pack(args);
  return out.copy();
}

// Every sum has an entry of its own below 128.
TEST(LookupTiles, EntriesAreDistinct) {
  std::array<bool, 128> seen{};
  for (int m = 0; m <= 121; ++m) {
    ASSERT_LT(entry(m), 128);
    ASSERT_FALSE(seen[entry(m)]) << m;
    seen[entry(m)] = true;
  }
}

// Weight by weight, where lookup_tiles.h says that it is.
TEST_P(TernaryLookup, PacksWhereTheFormatSays) {
  std::mt19937 rng(1);
  const std::int64_t shapes[][2] = {{1, 1},     {3, 129},   {64, 256},   {65, 640},
                                    {130, 300}, {577, 257}, {700, 1281}, {512, 2560}};
  for (const auto& [rows, cols] : shapes) {
    const auto w = random_weights(rng, rows * cols);
    const std::int64_t row_bytes =
        block128::row_bytes(cols) + static_cast<std::int64_t>(rng() % 40);
    const auto out = packed(*GetParam().run, w, rows, cols, row_bytes);
    const std::int64_t count = groups(cols);
    for (std::int64_t r = 0; r < kStripRows * strips(rows); ++r) {
      const StripPlace at = place(r / kStripRows, rows, count);
      std::int32_t negatives = 0, stored = 0;
      std::vector<int> found(usize(kDigits * count));
      for (std::int64_t g = 0; g < count; ++g) {
        const std::uint8_t byte = out[usize(at.offset + g * at.stride + r % kStripRows)];
        negatives += byte >> 7;
        for (std::int64_t k = 0; k < kDigits; ++k)
          found[usize(k * count + g)] = weights_of_bytes()[byte][usize(k)];
      }
      std::memcpy(&stored, &out[usize(code_bytes(rows, cols) + 4 * r)], 4);
      ASSERT_EQ(stored, negatives) << rows << " x " << cols << ", row " << r;
      for (std::int64_t c = 0; c < cols; ++c) {
        const int expected = r < rows ? w[usize(r * cols + c)] : 0;
        ASSERT_EQ(found[usize(pair_order_index(c))], expected)
            << rows << " x " << cols << ", row " << r << " column " << c;
        found[usize(pair_order_index(c))] = 0;
      }
      for (const int rest : found) ASSERT_EQ(rest, 0);
    }
  }
}

struct Product {
  std::int64_t rows, cols, tokens, first = 0, count = 0;  // groups; count 0: to the last
  bool more = false;
};

// Sums of weights times activations of the chosen groups, by way of tables.
void expect_sums(Fns& fns, const Product& p, const std::vector<std::int8_t>& w,
                 const std::vector<std::int8_t>& q) {
  const std::int64_t all = groups(p.cols), count = p.count ? p.count : all - p.first;
  const std::int64_t places = pair_order_bytes(p.cols), filled = kStripRows * strips(p.rows);
  const auto bytes_of_matrix = packed(fns, w, p.rows, p.cols, block128::row_bytes(p.cols));
  Aligned tables(256 * count * p.tokens), codes(code_bytes(p.rows, p.cols));
  std::memcpy(codes.data(), bytes_of_matrix.data(), usize(code_bytes(p.rows, p.cols)));
  Aligned sums_bytes(4 * filled * p.tokens);
  auto* const sums = reinterpret_cast<std::int32_t*>(sums_bytes.data());
  for (std::int64_t i = 0; i < filled * p.tokens; ++i) sums[i] = 1000;
  for (std::int64_t t = 0; t < p.tokens; ++t) {
    std::vector<std::int8_t> stored(usize(places));
    arrange_pairs({&q[usize(t * p.cols)], usize(p.cols)}, stored);
    Guarded<std::int8_t> guarded(stored);
    fns.tables({guarded.data(), places, all, p.first, count, tables.data() + 256 * count * t,
                codes.data()});
  }
  for (std::int64_t strip = 0; strip < strips(p.rows); strip += kTileStrips) {
    const StripPlace at = place(strip, p.rows, all);
    fns.sums({codes.data() + at.offset + p.first * at.stride, at.stride,
              std::min(kTileStrips, strips(p.rows) - strip), count, p.tokens, tables.data(),
              sums + kStripRows * strip, filled, p.more, codes.data()});
  }
  for (std::int64_t t = 0; t < p.tokens; ++t)
    for (std::int64_t r = 0; r < filled; ++r) {
      std::int64_t expected = p.more ? 1000 : 0, negatives = 0;
      const StripPlace at = place(r / kStripRows, p.rows, all);
      for (std::int64_t g = p.first; g < p.first + count; ++g)
        negatives += bytes_of_matrix[usize(at.offset + g * at.stride + r % kStripRows)] >> 7;
      for (std::int64_t c = 0; c < p.cols && r < p.rows; ++c) {
        const std::int64_t g = pair_order_index(c) % all;
        if (g >= p.first && g < p.first + count)
          expected += std::int64_t{w[usize(r * p.cols + c)]} * q[usize(t * p.cols + c)];
      }
      ASSERT_EQ(sums[t * filled + r] + negatives, expected)
          << p.rows << " x " << p.cols << " x " << p.tokens << ", groups from " << p.first
          << ", row " << r << ", token " << t;
    }
}

// One token, all groups: the same sums as by way of tables, of any number of strips.
TEST_P(TernaryLookup, SumsOfOneTokenAreThoseByTables) {
  Fns& fns = *GetParam().run;
  if (fns.one == nullptr) GTEST_SKIP() << "these kernels take the way of tables";
  std::mt19937 rng(5);
  for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                   {64, 240},
                                   {70, 256},
                                   {129, 641},
                                   {256, 300},
                                   {270, 2560},
                                   {330, 257},
                                   {448, 129},
                                   {512, 1281}}) {
    const std::int64_t all = groups(cols), places = pair_order_bytes(cols), count = strips(rows);
    Aligned codes(64 * count * all), tables(256 * all), sums(4 * 64 * count), found(4 * 64 * count);
    for (std::int64_t i = 0; i < 64 * count * all; ++i)
      codes.data()[i] = byte_of(static_cast<int>(rng() % 243) - 121);
    std::vector<std::int8_t> q(usize(places));
    for (auto& v : q) v = static_cast<std::int8_t>(static_cast<int>(rng() % 256) - 128);
    Guarded<std::int8_t> activations(q);
    reference::ternary_lookup.tables(
        {activations.data(), places, all, 0, all, tables.data(), codes.data()});
    reference::ternary_lookup.sums({codes.data(), 64 * count, count, all, 1, tables.data(),
                                    reinterpret_cast<std::int32_t*>(sums.data()), 64 * count, false,
                                    codes.data()});
    std::memset(found.data(), 0x55, usize(4 * 64 * count));
    fns.one({activations.data(), places, all, codes.data(), 64 * count, count,
             reinterpret_cast<std::int32_t*>(found.data()), codes.data()});
    ASSERT_EQ(std::memcmp(found.data(), sums.data(), usize(4 * 64 * count)), 0)
        << rows << " x " << cols;
  }
}

TEST_P(TernaryLookup, HasTablesOrNeedsNone) {
  Fns& fns = *GetParam().run;
  EXPECT_GE(fns.gemm_tokens, 1);
  EXPECT_LE(fns.gemm_tokens, kLookupTableTokens);
  EXPECT_EQ(fns.tables == nullptr, fns.gemm_tokens == 1);
  EXPECT_EQ(fns.sums == nullptr, fns.gemm_tokens == 1);
}

TEST_P(TernaryLookup, SumsAreExact) {
  if (!GetParam().run->sums) GTEST_SKIP() << "these kernels need no tables";
  std::mt19937 rng(2);
  for (const Product& p :
       {Product{1, 1, 1}, Product{64, 256, 1}, Product{65, 129, 2}, Product{200, 640, 3},
        Product{512, 300, 2}, Product{513, 256, 5}, Product{1100, 700, 4},
        Product{130, 2560, 3, 100, 412}, Product{450, 1281, 2, 48, 96, true},
        Product{320, 600, 1, 7, 20, true}, Product{384, 520, 1}, Product{257, 520, 1}}) {
    const auto w = random_weights(rng, p.rows * p.cols);
    std::vector<std::int8_t> q(usize(p.tokens * p.cols));
    for (auto& v : q) v = static_cast<std::int8_t>(static_cast<int>(rng() % 256) - 128);
    expect_sums(*GetParam().run, p, w, q);
  }
}

// The sums of many tokens; activations of `p.tokens` rows in plain columns.
void expect_gemm(Fns& fns, const Product& p, const std::vector<std::int8_t>& w,
                 const std::vector<std::int8_t>& plain) {
  const std::int64_t all = groups(p.cols), stride = 5 * all + 7;
  std::vector<std::int8_t> q(usize(p.tokens * stride), 99);  // what lies behind counts nothing
  std::vector<std::int64_t> over(usize(p.tokens));
  for (std::int64_t t = 0; t < p.tokens; ++t) {
    const std::span columns(&plain[usize(t * p.cols)], usize(p.cols));
    arrange_pairs(columns, {&q[usize(t * stride)], usize(5 * all)});
    for (const std::int8_t v : columns) over[usize(t)] += v;
  }
  Guarded<std::int8_t> activations(q);
  const auto matrix = packed(fns, w, p.rows, p.cols, block128::row_bytes(p.cols));
  Aligned codes(code_bytes(p.rows, p.cols)), scratch(kLookupGemmScratch),
      sums_bytes(4 * kStripRows * p.tokens);
  std::memcpy(codes.data(), matrix.data(), usize(code_bytes(p.rows, p.cols)));
  auto* const sums = reinterpret_cast<std::int32_t*>(sums_bytes.data());
  for (std::int64_t strip = 0; strip < strips(p.rows); ++strip) {
    const StripPlace at = place(strip, p.rows, all);
    fns.gemm({codes.data() + at.offset, at.stride, all, activations.data(), stride, p.tokens, sums,
              scratch.data()});
    for (std::int64_t t = 0; t < p.tokens; ++t)
      for (std::int64_t i = 0; i < kStripRows; ++i) {
        const std::int64_t row = kStripRows * strip + i;
        std::int64_t expected = over[usize(t)];
        for (std::int64_t c = 0; c < p.cols && row < p.rows; ++c)
          expected += std::int64_t{w[usize(row * p.cols + c)]} * plain[usize(t * p.cols + c)];
        ASSERT_EQ(sums[t * kStripRows + i], expected)
            << p.rows << " x " << p.cols << " x " << p.tokens << ", row " << row << ", token " << t;
      }
  }
}

TEST_P(TernaryLookup, ManyTokensAreExact) {
  std::mt19937 rng(3);
  std::vector<Product> products{{64, 1, 1},     {70, 129, 7},   {200, 640, 13}, {600, 300, 6},
                                {65, 2560, 25}, {64, 1281, 11}, {3, 241, 130},  {64, 6912, 2}};
  for (std::int64_t tokens = 1; tokens <= 20; ++tokens)  // every tile of tokens
    products.push_back({64, 256 + 5 * tokens, tokens});
  for (const Product& p : products) {
    std::vector<std::int8_t> q(usize(p.tokens * p.cols));
    for (auto& v : q) v = static_cast<std::int8_t>(static_cast<int>(rng() % 256) - 128);
    expect_gemm(*GetParam().run, p, random_weights(rng, p.rows * p.cols), q);
  }
}

// The largest sums there are: 16-bit sums on the way would wrap beyond 64 steps of four columns.
TEST_P(TernaryLookup, ExtremesOfManyTokensDoNotOverflow) {
  for (const int weight : {-1, 1})
    for (const int activation : {-128, 127}) {
      const Product p{64, 6912, 7};
      expect_gemm(
          *GetParam().run, p,
          std::vector<std::int8_t>(usize(p.rows * p.cols), static_cast<std::int8_t>(weight)),
          std::vector<std::int8_t>(usize(p.tokens * p.cols), static_cast<std::int8_t>(activation)));
    }
}

// 16-bit sums on the way would wrap beyond 51 groups.
TEST_P(TernaryLookup, ExtremesDoNotOverflow) {
  if (!GetParam().run->sums) GTEST_SKIP() << "these kernels need no tables";
  for (const int weight : {-1, 1})
    for (const int activation : {-128, 127})
      for (const std::int64_t tokens : {1, 2}) {
        const Product p{70, 1300, tokens};
        expect_sums(
            *GetParam().run, p,
            std::vector<std::int8_t>(usize(p.rows * p.cols), static_cast<std::int8_t>(weight)),
            std::vector<std::int8_t>(usize(tokens * p.cols), static_cast<std::int8_t>(activation)));
      }
}

}  // namespace
}  // namespace bitnet::cpu
