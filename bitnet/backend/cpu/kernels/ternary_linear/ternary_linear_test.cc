// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/backend/cpu/ternary_linear_op.h"
#include "bitnet/ternary/activations.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

// Beyond the least stride.
struct Padding {
  std::int64_t row_bytes = 0, activations = 0, out = 0;
};

// A layer in plain columns and as kernels see it: weights and activations end at inaccessible
// pages, and results at one more, so that whoever reads or writes too far dies.
class Layer {
 public:
  Layer(std::int64_t rows, std::int64_t cols, std::int64_t tokens, Padding padding = {})
      : w(usize(rows * cols)),
        q(usize(tokens * cols)),
        sum(usize(tokens)),
        scale(usize(tokens)),
        rows_(rows),
        cols_(cols),
        tokens_(tokens),
        row_bytes_(block128::row_bytes(cols) + padding.row_bytes),
        stride_(pair_order_bytes(cols) + padding.activations),
        out_stride_(rows + padding.out),
        packed_(usize(rows * row_bytes_)),
        stored_(usize(tokens * stride_ - padding.activations)) {}

  Layer& randomize(std::mt19937& rng) {
    for (auto& v : w) v = static_cast<std::int8_t>(static_cast<int>(rng() % 3) - 1);
    for (auto& v : q) v = static_cast<std::int8_t>(static_cast<int>(rng() % 256) - 128);
    for (auto& v : scale) v = std::ldexp(1.0f + static_cast<float>(rng() % 1000) / 999.0f, -7);
    return *this;
  }

  Layer& fill(int weight, int activation) {
    for (auto& v : w) v = static_cast<std::int8_t>(weight);
    for (auto& v : q) v = static_cast<std::int8_t>(activation);
    for (auto& v : scale) v = 1.0f;
    return *this;
  }

  // Writes the packed forms; between rows lies 0xFF, code 3, which nobody may meet, and behind the
  // last block's activations something that counts nothing.
  TernaryLinearArgs args() {
    std::fill_n(packed_.data(), packed_.copy().size(), std::uint8_t{0xFF});
    for (std::int64_t r = 0; r < rows_; ++r)
      block128::pack_row(&w[usize(r * cols_)], cols_, packed_.data() + r * row_bytes_);
    for (std::int64_t t = 0; t < tokens_; ++t) {
      const std::span columns(&q[usize(t * cols_)], usize(cols_));
      arrange_pairs(columns, {stored_.data() + t * stride_, usize(pair_order_bytes(cols_))});
      for (std::int64_t col = 4 * block128::row_bytes(cols_); col < pair_order_bytes(cols_); ++col)
        stored_.data()[t * stride_ + pair_order_index(col)] = 77;
      sum[usize(t)] = 0;
      for (const std::int8_t v : columns) sum[usize(t)] += v;
    }
    return {packed_.data(), row_bytes_, stored_.data(), stride_, sum.data(),
            scale.data(),   nullptr,    out_stride_,    rows_,   block128::row_bytes(cols_) / 32,
            tokens_};
  }

  // kUntouched where the kernel may not write.
  template <class Run>
  std::vector<float> run(const Run& kernel) {
    Guarded<float> out(std::vector<float>(usize((tokens_ - 1) * out_stride_ + rows_), kUntouched));
    TernaryLinearArgs a = args();
    a.out = out.data();
    kernel(a);
    return out.copy();
  }

  // The formula of ops/args.h over plain columns.
  std::vector<float> expected() const {
    std::vector<float> out(usize((tokens_ - 1) * out_stride_ + rows_), kUntouched);
    for (std::int64_t t = 0; t < tokens_; ++t)
      for (std::int64_t r = 0; r < rows_; ++r) {
        std::int64_t dot = 0;
        for (std::int64_t k = 0; k < cols_; ++k)
          dot += std::int64_t{w[usize(r * cols_ + k)]} * q[usize(t * cols_ + k)];
        out[usize(t * out_stride_ + r)] = static_cast<float>(dot) * scale[usize(t)];
      }
    return out;
  }

  static constexpr float kUntouched = -12345.5f;
  std::vector<std::int8_t> w, q;  // [rows][cols], [tokens][cols]
  std::vector<std::int32_t> sum;
  std::vector<float> scale;

 private:
  std::int64_t rows_, cols_, tokens_, row_bytes_, stride_, out_stride_;
  Guarded<std::uint8_t> packed_;
  Guarded<std::int8_t> stored_;
};

class TernaryLinear : public KernelTest<TernaryLinearFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, TernaryLinear, ::testing::ValuesIn(ternary_linear_kernels()),
                         kernel_name<TernaryLinearFn>);

TEST_P(TernaryLinear, IsTheFormulaForEveryTailOfRowsTokensAndBlocks) {
  std::mt19937 rng(1);
  for (const std::int64_t cols : {1, 127, 128, 129, 255, 256, 257, 384, 640, 1920, 2049})
    for (std::int64_t rows = 1; rows <= 9; ++rows)
      for (const std::int64_t tokens : {1, 2, 3, 4, 5, 6, 7, 9}) {
        Layer layer(rows, cols, tokens);
        layer.randomize(rng);
        ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected()))
            << rows << " x " << cols << " x " << tokens;
      }
}

TEST_P(TernaryLinear, RandomShapesAndStrides) {
  std::mt19937 rng(2);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(rng() % usize(n)); };
  for (int i = 0; i < 60; ++i) {
    // Any byte alignment of weights; activation rows stay 64-byte aligned.
    const Padding padding{below(100), 64 * below(4), below(20)};
    const std::int64_t rows = 1 + below(70), cols = 1 + below(1500), tokens = 1 + below(20);
    Layer layer(rows, cols, tokens, padding);
    layer.randomize(rng);
    ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected()))
        << rows << " x " << cols << " x " << tokens << ", row_bytes + " << padding.row_bytes;
  }
}

// The largest sums there are, of both signs; 16-bit sums would wrap here.
TEST_P(TernaryLinear, ExtremesDoNotOverflow) {
  for (const std::int64_t cols : {1791, 1792, 1793, 1920, 3840, 16384, 16512})
    for (const int weight : {-1, 1})
      for (const int activation : {-128, 127})
        for (const std::int64_t tokens : {1, 2, 5, 9}) {
          Layer layer(5, cols, tokens);
          layer.fill(weight, activation);
          ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected()))
              << cols << " columns of " << weight << " * " << activation;
        }
}

// Panels of 64 rows, 128 tokens and 256 columns, and what is left of each.
TEST_P(TernaryLinear, ManyTokens) {
  std::mt19937 rng(5);
  const std::int64_t shapes[][3] = {{64, 256, 128}, {65, 128, 12},  {63, 384, 130}, {128, 640, 17},
                                    {17, 257, 131}, {130, 1, 10},   {79, 1300, 15}, {8, 513, 257},
                                    {16, 6912, 14}, {33, 2560, 129}};
  for (const auto& [rows, cols, tokens] : shapes) {
    Layer layer(rows, cols, tokens, {.row_bytes = 32, .activations = 64, .out = 5});
    layer.randomize(rng);
    ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected()))
        << rows << " x " << cols << " x " << tokens;
  }
}

// The largest sums of many tokens, of long rows.
TEST_P(TernaryLinear, ExtremesOfManyTokens) {
  for (const int weight : {-1, 1})
    for (const int activation : {-128, 127}) {
      Layer layer(70, 6912 + 128, 130);
      layer.fill(weight, activation);
      ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected()))
          << weight << " * " << activation;
    }
}

// 2^22 columns, the most that args.h allows.
TEST_P(TernaryLinear, SumsOfTheLongestRowFit) {
  for (const int activation : {-128, 127})
    for (const std::int64_t tokens : {1, 2}) {
      Layer layer(1, std::int64_t{1} << 22, tokens);
      layer.fill(1, activation);
      ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected())) << activation;
    }
}

// Rows in several cache blocks, tokens in several tiles.
TEST_P(TernaryLinear, ManyRows) {
  std::mt19937 rng(3);
  Layer layer(1031, 1300, 6);
  layer.randomize(rng);
  ASSERT_TRUE(same_bits(layer.run(GetParam().run), layer.expected()));
}

TEST_P(TernaryLinear, NothingToDo) {
  TernaryLinearArgs none{};
  none.row_bytes = 32;
  none.blocks = 1;
  none.rows = 4;
  GetParam().run(none);  // no tokens
  none.rows = 0;
  none.tokens = 3;
  GetParam().run(none);  // no rows
}

TEST(TernaryLinearOp, DoesNotDependOnTheNumberOfWorkers) {
  std::mt19937 rng(4);
  const std::int64_t shapes[][2] = {{200, 1}, {200, 3}, {16, 40}, {5, 70}, {1, 1}, {33, 9}};
  for (const auto& [rows, tokens] : shapes) {
    Layer layer(rows, 650, tokens, {.out = 3});
    layer.randomize(rng);
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      const auto run = [&](const TernaryLinearArgs& a) { ternary_linear(a, pool); };
      ASSERT_TRUE(same_bits(layer.run(run), layer.expected()))
          << rows << " rows, " << tokens << " tokens, " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace bitnet::cpu
