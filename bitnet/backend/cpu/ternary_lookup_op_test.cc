// SPDX-License-Identifier: MIT OR Apache-2.0
// The op in tiles against the op in 2 bits: the same bits for any shape, number of tokens and
// workers, wherever a tile or a block of columns ends.
#include "bitnet/backend/cpu/ternary_lookup_op.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "bitnet/ops/linear.h"
#include "bitnet/runtime/runtime.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

TernaryMatrix random_matrix(std::int64_t rows, std::int64_t cols, std::mt19937& rng) {
  TernaryMatrix m;
  m.codes = Tensor::allocate(DType::ternary2, {rows, cols});
  m.scale = 0.25f + static_cast<float>(rng() % 100) / 64;
  std::vector<std::int8_t> row(static_cast<std::size_t>(cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (auto& w : row) w = static_cast<std::int8_t>(static_cast<int>(rng() % 3) - 1);
    block128::pack_row(
        row.data(), cols,
        reinterpret_cast<std::uint8_t*>(m.codes.mutable_data()) + r * m.codes.row_stride_bytes());
  }
  return m;
}

struct Case {
  std::vector<std::int64_t> rows;
  std::int64_t cols, tokens;
};

// Results of all matrices one behind the other, with what lies between their rows.
std::vector<float> run(Runtime& runtime, const std::vector<TernaryMatrix>& matrices,
                       const QuantizedRows& x) {
  std::int64_t all = 0, most = 0;
  for (const TernaryMatrix& m : matrices) all += m.rows() + 3, most = std::max(most, m.rows());
  std::vector<float> out(static_cast<std::size_t>(all * x.tokens()), -7.0f);
  std::vector<const TernaryMatrix*> pointers;
  std::vector<MatrixView<float>> views;
  std::int64_t at = 0;
  for (const TernaryMatrix& m : matrices) {
    pointers.push_back(&m);
    views.push_back({out.data() + at, x.tokens(), m.rows(), all});
    at += m.rows() + 3;
  }
  LinearScratch scratch(x.tokens(), most, default_pool());
  ternary_linears(runtime.context(), pointers, x, views, scratch);
  return out;
}

TEST(TernaryLookupOp, IsTheLinearLayerBitByBit) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  for (const Case& c :
       {Case{{1}, 1, 1}, Case{{64}, 256, 3}, Case{{70, 1, 513}, 300, 1},
        Case{{2560, 640, 640}, 640, 2}, Case{{1100}, 2560, 5}, Case{{577, 600}, 1000, 23},
        Case{{130, 65, 900}, 2561, 24}, Case{{100}, 7000, 33}, Case{{600}, 640, 150}}) {
    std::vector<float> values(static_cast<std::size_t>(c.tokens * c.cols));
    for (float& v : values) v = normal(rng);
    std::vector<TernaryMatrix> matrices;
    for (const std::int64_t rows : c.rows) matrices.push_back(random_matrix(rows, c.cols, rng));
    matrices[0].granularity = ScaleGranularity::row;
    for (std::int64_t r = 0; r < c.rows[0]; ++r)
      matrices[0].scales.push_back(static_cast<float>(rng() % 9) / 8);
    std::vector<float> expected;
    for (const int threads : {1, 2, 5}) {
      Runtime runtime(threads);
      QuantizedRows x(c.tokens, c.cols, default_pool());
      quantize(runtime.context(), {values.data(), c.tokens, c.cols, c.cols}, x);
      if (expected.empty()) {
        expected = run(runtime, matrices, x);
        for (TernaryMatrix& m : matrices) pack_for_lookup(runtime.context(), m);
      }
      const std::vector<float> found = run(runtime, matrices, x);
      ASSERT_EQ(std::memcmp(found.data(), expected.data(), 4 * found.size()), 0)
          << c.rows[0] << " x " << c.cols << " x " << c.tokens << ", " << threads << " threads";
    }
  }
}

// Both rates are measured, and what decides does not change.
TEST(TernaryRates, AreThoseOfThisMachine) {
  EXPECT_GT(ternary_rates().linear, 1e6);
  EXPECT_GT(ternary_rates().lookup, 1e6);
  EXPECT_EQ(lookup_is_faster(), lookup_is_faster());
}

}  // namespace
}  // namespace bitnet::cpu
