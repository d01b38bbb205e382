// SPDX-License-Identifier: MIT OR Apache-2.0
// The gradient of attention: against its definition bit for bit, against the analytic gradient in
// double, and that against finite differences in double.
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention_testing.h"

namespace bitnet::cpu {
namespace {

float exp1(float x) {
  float y;
  exp_reference({&x, &y, 1});
  return y;
}

struct Gradients {
  FlashTensor dq, dk, dv;
  explicit Gradients(const FlashShape& s, std::int64_t gap = 2)
      : dq(s.batch, s.heads, s.queries, s.dim, gap),
        dk(s.batch, s.kv_heads, s.keys, s.dim, gap),
        dv(s.batch, s.kv_heads, s.keys, s.value_dim, gap) {}
};

// A case with what the forward pass gives, and an output's gradient.
struct BackwardCase : FlashCase {
  FlashTensor dout;

  BackwardCase(std::mt19937& rng, const FlashShape& s)
      : FlashCase(rng, s), dout(s.batch, s.heads, s.queries, s.value_dim, 1) {
    dout.randomize(rng);
    forward();
  }
  void forward() {
    ThreadPool pool(1);
    flash_attention(args(), pool);
  }
  FlashAttentionArgs args() {
    FlashAttentionArgs a = shape.args();
    a.q = q.rows<const float>(q.values().data()), a.k = k.rows<const float>(k.values().data());
    a.v = v.rows<const float>(v.values().data()), a.out = out.rows<float>(out.values().data());
    a.logsumexp = logsumexp.rows<float>(logsumexp.values().data());
    return a;
  }
  FlashAttentionBackwardArgs args(Gradients& g) {
    return {args(), dout.rows<const float>(dout.values().data()),
            g.dq.rows<float>(g.dq.values().data()), g.dk.rows<float>(g.dk.values().data()),
            g.dv.rows<float>(g.dv.values().data())};
  }
};

float dot16(const float* x, const float* y, std::int64_t n) {
  float lane[16] = {};
  for (std::int64_t i = 0; i < n; ++i) lane[i % 16] = std::fma(x[i], y[i], lane[i % 16]);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}

// continues to[i] by a * x[i]
void add(float* to, float a, const float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = std::fma(a, x[i], to[i]);
}

void scale(FlashTensor& t, float factor) {
  for (float& x : t.values()) x = std::isnan(x) ? x : x * factor;
}

// The definition of ops/flash_attention_args.h: pairs of a row and a key, rows by query and then by
// head, keys in order, so that each of the three sums is taken in its order.
Gradients define(const BackwardCase& c) {
  const FlashShape& s = c.shape;
  const std::int64_t group = s.heads / s.kv_heads;
  Gradients g(s);
  for (FlashTensor* t : {&g.dq, &g.dk, &g.dv}) t->fill(std::vector<float>(usize(t->size())));
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t t = 0; t < s.queries; ++t)
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const float lse = c.logsumexp.at(b, h, t, 0);
        if (lse == -INFINITY) continue;
        const float delta = dot16(c.dout.row(b, h, t), c.out.row(b, h, t), s.value_dim);
        for (std::int64_t j = 0; j < s.keys; ++j) {
          if (!s.sees(t, j)) continue;
          const std::int64_t kv = h / group;
          float score = 0, dp = 0;
          for (std::int64_t d = 0; d < s.dim; ++d)
            score = std::fma(c.q.at(b, h, t, d), c.k.at(b, kv, j, d), score);
          for (std::int64_t d = 0; d < s.value_dim; ++d)
            dp = std::fma(c.dout.at(b, h, t, d), c.v.at(b, kv, j, d), dp);
          const float p = exp1(score * s.args().scale - lse), ds = p * (dp - delta);
          add(&g.dq.at(b, h, t, 0), ds, c.k.row(b, kv, j), s.dim);
          add(&g.dk.at(b, kv, j, 0), ds, c.q.row(b, h, t), s.dim);
          add(&g.dv.at(b, kv, j, 0), p, c.dout.row(b, h, t), s.value_dim);
        }
      }
  scale(g.dq, s.args().scale);
  scale(g.dk, s.args().scale);
  return g;
}

::testing::AssertionResult same(const Gradients& a, const Gradients& b) {
  for (const auto& [name, x, y] :
       {std::tuple{"dq", &a.dq, &b.dq}, {"dk", &a.dk, &b.dk}, {"dv", &a.dv, &b.dv}})
    if (const auto result = same_bits(x->values(), y->values()); !result)
      return ::testing::AssertionFailure() << name << " " << result.message();
  return ::testing::AssertionSuccess();
}

// Through one kernel: `rows` rows and `keys` keys at a time.
Gradients run(FlashBackwardFn* kernel, const BackwardCase& c, std::int64_t rows,
              std::int64_t keys) {
  const FlashShape& s = c.shape;
  Gradients g(s);
  Guarded<float> q(c.q.values()), k(c.k.values()), v(c.v.values()), out(c.out.values());
  Guarded<float> lse(c.logsumexp.values()), dout(c.dout.values());
  Guarded<float> dq(g.dq.values()), dk(g.dk.values()), dv(g.dv.values());
  FlashAttentionArgs a = s.args();
  a.q = c.q.rows<const float>(q.data()), a.k = c.k.rows<const float>(k.data());
  a.v = c.v.rows<const float>(v.data()), a.out = c.out.rows<float>(out.data());
  a.logsumexp = c.logsumexp.rows<float>(lse.data());
  const FlashAttentionBackwardArgs args{a, c.dout.rows<const float>(dout.data()),
                                        g.dq.rows<float>(dq.data()), g.dk.rows<float>(dk.data()),
                                        g.dv.rows<float>(dv.data())};
  const std::int64_t total = s.queries * (s.heads / s.kv_heads);
  for (std::int64_t head = 0; head < s.batch * s.kv_heads; ++head) {
    Guarded<float> delta(usize(total));
    Guarded<float> scratch(usize(flash_backward_scratch_floats(s.dim, s.value_dim)));
    const auto step = [&](bool by_key, std::int64_t first, std::int64_t count) {
      kernel({&args, head / s.kv_heads, head % s.kv_heads, by_key, first, count, delta.data(),
              scratch.data()});
    };
    for (std::int64_t i = 0; i < total; i += rows) step(false, i, std::min(rows, total - i));
    for (std::int64_t i = 0; i < s.keys; i += keys) step(true, i, std::min(keys, s.keys - i));
  }
  g.dq.values() = dq.copy(), g.dk.values() = dk.copy(), g.dv.values() = dv.copy();
  return g;
}

class FlashBackward : public KernelTest<FlashBackwardFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, FlashBackward, ::testing::ValuesIn(flash_backward_kernels()),
                         kernel_name<FlashBackwardFn>);

TEST_P(FlashBackward, IsTheDefinitionBitForBit) {
  std::mt19937 rng(1);
  for (int i = 0; i < 80; ++i) {
    const BackwardCase c(rng, random_shape(rng));
    const Gradients g = run(GetParam().run, c, pick(rng, {1, 16, 128}), pick(rng, {64, 128}));
    ASSERT_TRUE(same(g, define(c))) << c.shape;
  }
}

// Rows that see nothing, and rows all of whose scores are -inf amid others.
TEST_P(FlashBackward, RowsWithoutWeightGiveNothing) {
  std::mt19937 rng(2);
  BackwardCase c(rng, {1, 2, 1, 70, 66, 16, 20, 0, true});
  for (FlashTensor* x : {&c.k, &c.q})
    for (float& f : x->values()) f = std::abs(f);
  for (const std::int64_t t : {8, 30, 31}) c.q.at(0, 1, t, 3) = -INFINITY;
  c.forward();
  for (FlashTensor* x : {&c.q, &c.out, &c.dout})  // must not be read with any weight
    for (std::int64_t t = 0; t < 4; ++t) x->at(0, 0, t, 0) = NAN;
  const Gradients g = run(GetParam().run, c, 128, 128);
  ASSERT_TRUE(same(g, define(c)));
  for (std::int64_t d = 0; d < 16; ++d) {
    EXPECT_EQ(g.dq.at(0, 0, 3, d), 0.0f);
    EXPECT_EQ(g.dq.at(0, 1, 30, d), 0.0f);
    EXPECT_TRUE(std::isfinite(g.dk.at(0, 0, 5, d)));
  }
}

TEST_P(FlashBackward, NanStaysWithThoseWhoSeeIt) {
  std::mt19937 rng(3);
  BackwardCase c(rng, {1, 2, 1, 80, 80, 16, 16, 20, true});
  c.dout.at(0, 1, 50, 4) = NAN;  // sees keys 31 to 50
  const Gradients g = run(GetParam().run, c, 128, 128);
  ASSERT_TRUE(same(g, define(c)));
  for (std::int64_t j = 0; j < 80; ++j) {
    EXPECT_EQ(std::isnan(g.dk.at(0, 0, j, 0)), j > 30 && j <= 50) << j;
    EXPECT_EQ(std::isnan(g.dv.at(0, 0, j, 4)), j > 30 && j <= 50) << j;
    EXPECT_FALSE(std::isnan(g.dv.at(0, 0, j, 5))) << j;
    EXPECT_EQ(std::isnan(g.dq.at(0, 1, j, 0)), j == 50) << j;
  }
}

// sum(out * dout) in double.
double loss(const FlashCase& c, const FlashTensor& dout) {
  double sum = 0;
  const FlashShape& s = c.shape;
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::int64_t t = 0; t < s.queries; ++t) {
        const DoubleRow row(c, b, h, t);
        for (std::int64_t j = 0; j < s.keys; ++j)
          for (std::int64_t d = 0; d < s.value_dim; ++d)
            sum +=
                row.p[usize(j)] * c.v.at(b, h / (s.heads / s.kv_heads), j, d) * dout.at(b, h, t, d);
      }
  return sum;
}

using Doubles = std::vector<double>;

// The analytic gradient in double, of tensors without gaps.
struct DoubleGradients {
  Doubles dq, dk, dv;

  DoubleGradients(const BackwardCase& c) {
    const FlashShape& s = c.shape;
    dq.resize(usize(s.batch * s.heads * s.queries * s.dim));
    dk.resize(usize(s.batch * s.kv_heads * s.keys * s.dim));
    dv.resize(usize(s.batch * s.kv_heads * s.keys * s.value_dim));
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t h = 0; h < s.heads; ++h)
        for (std::int64_t t = 0; t < s.queries; ++t) add_row(c, b, h, t);
  }

 private:
  void add_row(const BackwardCase& c, std::int64_t b, std::int64_t h, std::int64_t t) {
    const FlashShape& s = c.shape;
    const std::int64_t kv = h / (s.heads / s.kv_heads), row = (b * s.heads + h) * s.queries + t;
    const DoubleRow weights(c, b, h, t);
    Doubles dp(usize(s.keys));
    double delta = 0;
    for (std::int64_t j = 0; j < s.keys; ++j) {
      for (std::int64_t d = 0; d < s.value_dim; ++d)
        dp[usize(j)] += double{c.dout.at(b, h, t, d)} * c.v.at(b, kv, j, d);
      delta += weights.p[usize(j)] * dp[usize(j)];
    }
    for (std::int64_t j = 0; j < s.keys; ++j) {
      const std::int64_t key = (b * s.kv_heads + kv) * s.keys + j;
      const double p = weights.p[usize(j)], ds = p * (dp[usize(j)] - delta) * s.args().scale;
      for (std::int64_t d = 0; d < s.dim; ++d) {
        dq[usize(row * s.dim + d)] += ds * c.k.at(b, kv, j, d);
        dk[usize(key * s.dim + d)] += ds * c.q.at(b, h, t, d);
      }
      for (std::int64_t d = 0; d < s.value_dim; ++d)
        dv[usize(key * s.value_dim + d)] += p * c.dout.at(b, h, t, d);
    }
  }
};

Doubles plain(const FlashTensor& t) {
  Doubles values;
  for (const float x : t.values())
    if (!std::isnan(x)) values.push_back(x);  // gaps
  return values;
}

double norm(const Doubles& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

double distance(const Doubles& a, const Doubles& b) {
  EXPECT_EQ(a.size(), b.size());
  Doubles difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm(difference);
}

TEST(FlashBackwardInDouble, AnalyticGradientIsThatOfFiniteDifferences) {
  std::mt19937 rng(4);
  const FlashShape shapes[] = {{1, 2, 1, 5, 7, 3, 2, 0, true},
                               {2, 2, 2, 3, 4, 2, 3, 0, false},
                               {1, 4, 2, 6, 6, 4, 4, 3, true},
                               {1, 1, 1, 6, 4, 3, 3, 0, true}};
  for (const FlashShape& shape : shapes) {
    BackwardCase c(rng, shape);
    const DoubleGradients g(c);
    const std::tuple<FlashTensor*, const Doubles*> each[] = {
        {&c.q, &g.dq}, {&c.k, &g.dk}, {&c.v, &g.dv}};
    for (const auto& [tensor, gradient] : each) {
      std::size_t i = 0;
      for (float& x : tensor->values()) {
        if (std::isnan(x)) continue;
        const float at = x, low = at - 0x1p-10f, high = at + 0x1p-10f;
        x = high;
        const double above = loss(c, c.dout);
        x = low;
        const double below = loss(c, c.dout);
        x = at;
        // The step is about 1e-3, its square times a third derivative of some 10 the error.
        EXPECT_NEAR((*gradient)[i++], (above - below) / (double{high} - low), 1e-5) << shape;
      }
      EXPECT_EQ(i, gradient->size());
    }
  }
}

TEST(FlashAttentionBackwardOp, IsNearTheGradientInDouble) {
  std::mt19937 rng(5);
  const FlashShape shapes[] = {{1, 4, 2, 30, 130, 64, 48, 0, true},
                               {2, 2, 2, 20, 70, 16, 32, 0, false},
                               {1, 3, 1, 90, 90, 20, 20, 33, true},
                               {1, 2, 1, 20, 15, 16, 16, 0, true}};
  for (const FlashShape& shape : shapes) {
    BackwardCase c(rng, shape);
    Gradients g(shape);
    ThreadPool pool(1);
    flash_attention_backward(c.args(g), pool);
    const DoubleGradients expected(c);
    // Roundings of chains of up to 130 steps, 2^-24 each, most of which cancel: some 20 of them.
    EXPECT_LT(distance(plain(g.dq), expected.dq), 20 * 0x1p-24 * norm(expected.dq)) << shape;
    EXPECT_LT(distance(plain(g.dk), expected.dk), 20 * 0x1p-24 * norm(expected.dk)) << shape;
    EXPECT_LT(distance(plain(g.dv), expected.dv), 20 * 0x1p-24 * norm(expected.dv)) << shape;
  }
}

TEST(FlashAttentionBackwardOp, DoesNotDependOnThreads) {
  std::mt19937 rng(6);
  const FlashShape shapes[] = {{2, 6, 2, 100, 150, 32, 48, 0, true},
                               {1, 2, 2, 40, 300, 16, 16, 90, true},
                               {1, 1, 1, 3, 5, 8, 8, 0, false}};
  for (const FlashShape& shape : shapes) {
    BackwardCase c(rng, shape);
    const Gradients expected = define(c);
    for (const int threads : {1, 2, 3, 7}) {
      Gradients g(shape);
      ThreadPool pool(threads);
      flash_attention_backward(c.args(g), pool);
      EXPECT_TRUE(same(g, expected)) << shape << threads;
    }
  }
}

}  // namespace
}  // namespace bitnet::cpu
