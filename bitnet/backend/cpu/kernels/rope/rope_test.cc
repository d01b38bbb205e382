// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/rope/rope.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {
namespace {

struct Case {
  std::int64_t tokens, heads, dim;
  std::vector<float> x, cos, sin;

  Case(std::mt19937& rng, std::int64_t t, std::int64_t h, std::int64_t d)
      : tokens(t),
        heads(h),
        dim(d),
        x(awkward_floats(rng, t * h * d)),
        cos(random_floats(rng, t * d / 2)),
        sin(random_floats(rng, t * d / 2)) {}

  RopeArgs args(float* data, const float* c, const float* s) const {
    return {data, heads * dim, c, s, tokens, heads, dim};
  }
  std::vector<float> run(RopeFn* kernel) const {
    Guarded<float> data(x), c(cos), s(sin);
    kernel(args(data.data(), c.data(), s.data()));
    return data.copy();
  }
};

class Rope : public KernelTest<RopeFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Rope, ::testing::ValuesIn(rope_kernels()), kernel_name<RopeFn>);

TEST_P(Rope, IsTheFormulaBitForBit) {
  std::mt19937 rng(1);
  for (std::int64_t dim = 2; dim <= 130; dim += 2) {
    const Case c(rng, 2, 3, dim);
    auto expected = c.x;
    for (std::int64_t t = 0; t < 2; ++t)
      for (std::int64_t h = 0; h < 3; ++h)
        for (std::int64_t i = 0; i < dim / 2; ++i) {
          float& a = expected[usize((t * 3 + h) * dim + i)];
          float& b = expected[usize((t * 3 + h) * dim + i + dim / 2)];
          const float cos = c.cos[usize(t * dim / 2 + i)], sin = c.sin[usize(t * dim / 2 + i)];
          const float first = std::fma(-b, sin, a * cos);
          b = std::fma(a, sin, b * cos);
          a = first;
        }
    ASSERT_TRUE(same_bits(c.run(GetParam().run), expected)) << dim;
  }
}

TEST(RopeOp, DoesNotDependOnThreads) {
  std::mt19937 rng(2);
  const Case c(rng, 33, 10, 128);
  const auto expected = c.run(rope_reference);
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    auto x = c.x;
    rope(c.args(x.data(), c.cos.data(), c.sin.data()), pool);
    EXPECT_TRUE(same_bits(x, expected)) << threads;
  }
}

}  // namespace
}  // namespace bitnet::cpu
