// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/quantize/quantize.h"

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/backend/cpu/quantize_op.h"
#include "bitnet/ternary/activations.h"

namespace bitnet::cpu {
namespace {

struct Result {
  std::vector<std::int8_t> q;
  std::vector<float> scale;
  std::vector<std::int32_t> sum;
};

Result run(QuantizeFn* kernel, const std::vector<float>& x, std::int64_t tokens) {
  const std::int64_t cols = static_cast<std::int64_t>(x.size()) / tokens;
  const std::int64_t stride = pair_order_bytes(cols);
  Guarded<float> in(x);
  Guarded<std::int8_t> q(std::vector<std::int8_t>(usize(tokens * stride), 99));
  Result r;
  r.scale.resize(usize(tokens));
  r.sum.resize(usize(tokens));
  kernel({in.data(), cols, q.data(), stride, r.scale.data(), r.sum.data(), tokens, cols});
  r.q = q.copy();
  return r;
}

class Quantize : public KernelTest<QuantizeFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Quantize, ::testing::ValuesIn(quantize_kernels()),
                         kernel_name<QuantizeFn>);

TEST_P(Quantize, EqualsReference) {
  std::mt19937 rng(1);
  for (const std::int64_t cols : {1, 15, 16, 17, 31, 33, 127, 128, 129, 255, 256, 257, 704, 2560})
    for (const bool awkward : {false, true}) {
      const auto x = awkward ? awkward_floats(rng, 3 * cols) : random_floats(rng, 3 * cols);
      const Result a = run(GetParam().run, x, 3), b = run(quantize_reference, x, 3);
      ASSERT_EQ(a.q, b.q) << cols;
      ASSERT_TRUE(same_bits(a.scale, b.scale)) << cols;
      ASSERT_EQ(a.sum, b.sum) << cols;
    }
}

// The definition as Hugging Face writes it.
TEST(QuantizeReference, IsTheFormula) {
  std::mt19937 rng(2);
  for (const std::int64_t cols : {1, 100, 300, 2560}) {
    const auto x = random_floats(rng, cols);
    const Result r = run(quantize_reference, x, 1);
    float amax = 0;
    for (const float v : x) amax = std::max(amax, std::abs(v));
    const float s = 127.0f / std::max(amax, 1e-5f);
    EXPECT_EQ(r.scale[0], s);
    std::int32_t sum = 0;
    std::vector<std::int8_t> expected(r.q.size(), 0);
    for (std::int64_t k = 0; k < cols; ++k) {
      const auto q = static_cast<std::int8_t>(
          std::min(127.0f, std::max(-128.0f, std::nearbyint(x[usize(k)] * s))));
      expected[usize(pair_order_index(k))] = q;
      sum += q;
    }
    EXPECT_EQ(r.q, expected);
    EXPECT_EQ(r.sum[0], sum);
  }
}

TEST_P(Quantize, HalvesGoToEven) {
  // With a maximum of 127 the scale is 1: values are the integers they will be.
  const std::vector<float> x{127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f, 126.5f};
  const Result r = run(GetParam().run, x, 1);
  const std::vector<int> expected{127, 0, 2, 2, 0, -2, -126, 126};
  for (std::size_t k = 0; k < x.size(); ++k) EXPECT_EQ(r.q[k], expected[k]) << x[k];
}

TEST_P(Quantize, WhatIsNoNumberIsZero) {
  std::vector<float> x(40, 1.0f);
  x[3] = NAN;
  Result r = run(GetParam().run, x, 1);
  EXPECT_EQ(r.scale[0], 127.0f);
  EXPECT_EQ(r.q[3], 0);
  EXPECT_EQ(r.q[4], 127);
  x[5] = INFINITY;  // the scale becomes 0
  r = run(GetParam().run, x, 1);
  for (const std::int8_t q : r.q) EXPECT_EQ(q, 0);
  EXPECT_EQ(run(GetParam().run, std::vector<float>(40, 0.0f), 1).sum[0], 0);
}

TEST(QuantizeOp, DoesNotDependOnTheNumberOfWorkers) {
  std::mt19937 rng(3);
  const std::int64_t tokens = 37, cols = 1300, stride = pair_order_bytes(cols);
  const auto x = random_floats(rng, tokens * cols);
  const Result expected = run(quantize_reference, x, tokens);
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    std::vector<std::int8_t> q(usize(tokens * stride));
    std::vector<float> scale(usize(tokens));
    std::vector<std::int32_t> sum(usize(tokens));
    quantize({x.data(), cols, q.data(), stride, scale.data(), sum.data(), tokens, cols}, pool);
    EXPECT_EQ(q, expected.q);
    EXPECT_TRUE(same_bits(scale, expected.scale));
    EXPECT_EQ(sum, expected.sum);
  }
}

}  // namespace
}  // namespace bitnet::cpu
