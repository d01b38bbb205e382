// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/activation/activation.h"

#include <limits>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Floats of every exponent and sign: each `stride`-th bit pattern.
std::vector<float> every_nth_float(std::uint64_t stride) {
  std::vector<float> v;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += stride)
    v.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return v;
}

std::vector<float> run_exp(ExpFn* kernel, const std::vector<float>& x) {
  std::vector<float> out(x.size());
  kernel({x.data(), out.data(), static_cast<std::int64_t>(x.size())});
  return out;
}

class Exp : public KernelTest<ExpFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Exp, ::testing::ValuesIn(exp_kernels()), kernel_name<ExpFn>);

TEST_P(Exp, EqualsReferenceOverAllExponents) {
  const auto x = every_nth_float(1021);
  EXPECT_TRUE(same_bits(run_exp(GetParam().run, x), run_exp(exp_reference, x)));
}

// 2^24 samples, of which a tenth lie where the result is neither 0, 1 nor inf.
TEST_P(Exp, IsWithinOneUlp) {
  const auto x = every_nth_float(257);
  const auto out = run_exp(GetParam().run, x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(x[i] > -103.97f && x[i] < 88.72283f)) continue;
    const double exact = std::exp(double{x[i]});
    const int exponent = std::max(std::ilogb(exact), -126);
    worst = std::max(worst, std::abs(double{out[i]} - exact) / std::ldexp(1.0, exponent - 23));
  }
  EXPECT_LT(worst, 1.0);
  RecordProperty("max_ulp", std::to_string(worst));
}

TEST_P(Exp, EndsAreExact) {
  const auto out = run_exp(GetParam().run, {0.0f, -0.0f, kInf, -kInf, 88.72284f, 1e30f, -103.98f,
                                            -104.5f, -1e30f, NAN, -103.97f, 88.72283f});
  EXPECT_TRUE(same_bits(std::span(out).first(10),
                        std::vector<float>{1, 1, kInf, 0, kInf, kInf, 0, 0, 0, NAN}));
  EXPECT_EQ(out[10], std::numeric_limits<float>::denorm_min());
  EXPECT_LT(out[11], kInf);
}

// These bits were computed once; another compiler or CPU must find them again.
TEST_P(Exp, BitsAreTheSameEverywhere) {
  std::uint64_t hash = 1469598103934665603u;
  for (const float e : run_exp(GetParam().run, every_nth_float(4099)))
    if (!std::isnan(e)) hash = (hash ^ std::bit_cast<std::uint32_t>(e)) * 1099511628211u;
  EXPECT_EQ(hash, 11226033869009615998u);
}

struct Case {
  std::int64_t tokens, cols;
  std::vector<float> gate, up;

  Case(std::mt19937& rng, std::int64_t t, std::int64_t c)
      : tokens(t), cols(c), gate(awkward_floats(rng, t * c)), up(awkward_floats(rng, t * c)) {
    if (gate.size() > 8) gate[3] = NAN, gate[5] = kInf, gate[8] = -kInf;
  }

  GatedActivationArgs args(const float* g, const float* u, float* out, GatedActivation kind) const {
    return {g, cols, u, cols, out, cols, tokens, cols, kind};
  }
  std::vector<float> run(GatedActivationFn* kernel, GatedActivation kind) const {
    Guarded<float> g(gate), u(up), out(gate.size());
    kernel(args(g.data(), u.data(), out.data(), kind));
    return out.copy();
  }
};

// The definition of ops/args.h, one column after another.
std::vector<float> defined(const Case& c, GatedActivation kind) {
  std::vector<float> out(c.gate.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float g = c.gate[i], r = g < 0 ? 0 : g, negative = -g;
    float e = 0;
    exp_reference({&negative, &e, 1});
    out[i] = kind == GatedActivation::silu ? g / (1 + e) * c.up[i] : r * r * c.up[i];
  }
  return out;
}

class Gated : public KernelTest<GatedActivationFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Gated, ::testing::ValuesIn(gated_activation_kernels()),
                         kernel_name<GatedActivationFn>);

TEST_P(Gated, IsTheDefinitionBitForBit) {
  std::mt19937 rng(1);
  for (std::int64_t cols = 1; cols <= 50; ++cols)
    for (const auto kind : {GatedActivation::relu2, GatedActivation::silu}) {
      const Case c(rng, 3, cols);
      ASSERT_TRUE(same_bits(c.run(GetParam().run, kind), defined(c, kind)));
    }
}

TEST_P(Gated, OutMayBeGateOrUp) {
  std::mt19937 rng(2);
  const Case c(rng, 2, 45);
  const auto expected = c.run(GetParam().run, GatedActivation::silu);
  auto gate = c.gate, up = c.up;
  GetParam().run(c.args(gate.data(), c.up.data(), gate.data(), GatedActivation::silu));
  GetParam().run(c.args(c.gate.data(), up.data(), up.data(), GatedActivation::silu));
  EXPECT_TRUE(same_bits(gate, expected));
  EXPECT_TRUE(same_bits(up, expected));
}

TEST_P(Gated, KnownValues) {
  const std::vector<float> gate{3, -3, 0, NAN, kInf}, up{2, 2, 2, 2, 2};
  std::vector<float> out(5);
  GetParam().run({gate.data(), 5, up.data(), 5, out.data(), 5, 1, 5, GatedActivation::relu2});
  EXPECT_TRUE(same_bits(out, std::vector<float>{18, 0, 0, NAN, kInf}));
}

TEST(GatedReference, SiluIsNearTheFormulaInDouble) {
  std::mt19937 rng(3);
  const auto gate = random_floats(rng, 5000), up = random_floats(rng, 5000);
  std::vector<float> out(5000);
  gated_activation_reference(
      {gate.data(), 5000, up.data(), 5000, out.data(), 5000, 1, 5000, GatedActivation::silu});
  for (std::size_t i = 0; i < 5000; ++i) {
    const double expected = double{gate[i]} / (1 + std::exp(-double{gate[i]})) * up[i];
    EXPECT_NEAR(out[i], expected, 4 * 0x1p-23 * std::abs(expected));
  }
}

class Add : public KernelTest<AddFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Add, ::testing::ValuesIn(add_kernels()), kernel_name<AddFn>);

TEST_P(Add, IsTheSum) {
  std::mt19937 rng(4);
  for (std::int64_t cols = 1; cols <= 50; ++cols) {
    const auto x = awkward_floats(rng, 2 * cols), y = awkward_floats(rng, 2 * cols);
    Guarded<float> sum(x), other(y);
    GetParam().run({sum.data(), cols, other.data(), cols, 2, cols});
    std::vector<float> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) expected[i] = x[i] + y[i];
    ASSERT_TRUE(same_bits(sum.copy(), expected));
  }
}

TEST(ElementwiseOps, DoNotDependOnThreads) {
  std::mt19937 rng(5);
  const Case c(rng, 33, 1500);
  const auto expected = c.run(gated_activation_reference, GatedActivation::silu);
  auto sum = c.gate;
  add_reference({sum.data(), c.cols, c.up.data(), c.cols, c.tokens, c.cols});
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    std::vector<float> out(c.gate.size());
    gated_activation(c.args(c.gate.data(), c.up.data(), out.data(), GatedActivation::silu), pool);
    EXPECT_TRUE(same_bits(out, expected)) << threads;
    auto x = c.gate;
    add({x.data(), c.cols, c.up.data(), c.cols, c.tokens, c.cols}, pool);
    EXPECT_TRUE(same_bits(x, sum)) << threads;
  }
}

}  // namespace
}  // namespace bitnet::cpu
