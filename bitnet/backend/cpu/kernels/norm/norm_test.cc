// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/norm/norm.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {
namespace {

constexpr float kEps = 1e-5f;

struct Case {
  std::int64_t tokens, cols;
  std::int64_t left_out = 0;  // columns of zeros that the mean counts
  std::vector<float> x, weight;

  Case(std::mt19937& rng, std::int64_t t, std::int64_t c, bool awkward)
      : tokens(t),
        cols(c),
        x(awkward ? awkward_floats(rng, t * c) : random_floats(rng, t * c)),
        weight(random_floats(rng, c)) {}

  std::int64_t divisor() const { return cols + left_out; }
  std::vector<float> run(RmsNormFn* kernel) const {
    Guarded<float> in(x), w(weight), out(x.size());
    kernel({in.data(), cols, w.data(), out.data(), cols, tokens, cols, kEps, divisor()});
    return out.copy();
  }
};

// The definition of ops/args.h, one column after another.
std::vector<float> defined(const Case& c) {
  std::vector<float> out(c.x.size());
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    const float* x = &c.x[usize(t * c.cols)];
    float lane[16] = {};
    for (std::int64_t k = 0; k < c.cols; ++k) lane[k % 16] = std::fma(x[k], x[k], lane[k % 16]);
    for (int width = 8; width > 0; width /= 2)
      for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
    const float r = 1.0f / std::sqrt(lane[0] / static_cast<float>(c.divisor()) + kEps);
    for (std::int64_t k = 0; k < c.cols; ++k)
      out[usize(t * c.cols + k)] = c.weight[usize(k)] * (x[k] * r);
  }
  return out;
}

class RmsNorm : public KernelTest<RmsNormFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, RmsNorm, ::testing::ValuesIn(rms_norm_kernels()),
                         kernel_name<RmsNormFn>);

TEST_P(RmsNorm, IsTheDefinitionBitForBit) {
  std::mt19937 rng(1);
  for (std::int64_t cols = 1; cols <= 70; ++cols)
    for (const bool awkward : {false, true}) {
      const Case c(rng, 3, cols, awkward);
      ASSERT_TRUE(same_bits(c.run(GetParam().run), defined(c))) << cols;
    }
  const Case c(rng, 2, 2560, false);
  ASSERT_TRUE(same_bits(c.run(GetParam().run), defined(c)));
}

// What takes columns of zeros away (model/dead_neurons.h) keeps the others in their lanes.
TEST_P(RmsNorm, LeavesZerosOutWhereTheMeanCountsThem) {
  std::mt19937 rng(6);
  Case whole(rng, 2, 163, false), part = whole;
  part.cols = 35;  // 128 columns are 8 whole vectors
  part.left_out = 128;
  part.x.clear();
  part.weight.assign(whole.weight.begin() + 128, whole.weight.end());
  for (std::int64_t t = 0; t < 2; ++t) {
    const auto row = whole.x.begin() + t * whole.cols;
    std::fill(row, row + 128, t == 0 ? 0.0f : -0.0f);
    part.x.insert(part.x.end(), row + 128, row + whole.cols);
  }
  const auto expected = whole.run(GetParam().run), out = part.run(GetParam().run);
  for (std::int64_t t = 0; t < 2; ++t)
    for (std::int64_t k = 0; k < part.cols; ++k)
      EXPECT_EQ(out[usize(t * 35 + k)], expected[usize(t * 163 + 128 + k)]) << t << " " << k;
}

TEST_P(RmsNorm, NotANumberStaysInItsRow) {
  std::mt19937 rng(2);
  Case c(rng, 2, 37, false);
  c.x[5] = NAN;
  const auto out = c.run(GetParam().run);
  for (std::size_t i = 0; i < 74; ++i) EXPECT_EQ(std::isnan(out[i]), i < 37) << i;
}

TEST_P(RmsNorm, InPlaceAndTokenByTokenGiveTheSame) {
  std::mt19937 rng(3);
  const Case c(rng, 5, 100, false);
  auto x = c.x;
  for (std::int64_t t = 0; t < c.tokens; ++t)
    GetParam().run({x.data() + t * c.cols, c.cols, c.weight.data(), x.data() + t * c.cols, c.cols,
                    1, c.cols, kEps, c.divisor()});
  EXPECT_TRUE(same_bits(x, c.run(GetParam().run)));
}

TEST(RmsNormReference, IsNearTheFormulaInDouble) {
  std::mt19937 rng(4);
  for (const std::int64_t cols : {1, 15, 16, 100, 2560}) {
    const Case c(rng, 2, cols, false);
    const auto out = c.run(rms_norm_reference);
    for (std::int64_t t = 0; t < 2; ++t) {
      double sum = 0;
      for (std::int64_t k = 0; k < cols; ++k) sum += std::pow(double{c.x[usize(t * cols + k)]}, 2);
      const double r = 1 / std::sqrt(sum / static_cast<double>(cols) + double{kEps});
      for (std::int64_t k = 0; k < cols; ++k) {
        const double expected = double{c.weight[usize(k)]} * c.x[usize(t * cols + k)] * r;
        // sum: cols / 16 + 4 roundings, halved by the square root; then 5 more.
        const double bound = (static_cast<double>(cols) / 32 + 8) * 0x1p-24;
        EXPECT_NEAR(out[usize(t * cols + k)], expected, bound * std::abs(expected));
      }
    }
  }
}

TEST(RmsNormOp, DoesNotDependOnThreads) {
  std::mt19937 rng(5);
  const Case c(rng, 33, 1500, false);
  const auto expected = c.run(rms_norm_reference);
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    std::vector<float> out(c.x.size());
    rms_norm({c.x.data(), c.cols, c.weight.data(), out.data(), c.cols, c.tokens, c.cols, kEps,
              c.divisor()},
             pool);
    EXPECT_TRUE(same_bits(out, expected)) << threads;
  }
}

}  // namespace
}  // namespace bitnet::cpu
