// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/attention/attention.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {
namespace {

struct Case {
  std::int64_t first, tokens, heads, kv_heads, dim, capacity;
  float scale;
  std::vector<float> q, keys, values;

  // The cache is NaN where no position has been written.
  Case(std::mt19937& rng, std::int64_t f, std::int64_t t, std::int64_t h, std::int64_t kv,
       std::int64_t d)
      : first(f),
        tokens(t),
        heads(h),
        kv_heads(kv),
        dim(d),
        capacity((f + t + 15) / 16 * 16),
        scale(1 / std::sqrt(static_cast<float>(d))),
        q(awkward_floats(rng, t * h * d)),
        keys(usize(kv * capacity * d), NAN),
        values(keys) {
    const std::int64_t positions = f + t;
    // Ordinary numbers: large ones would make every exp 0 or 1.
    for (float& x : q) x = std::abs(x) > 100 ? 1 : x;
    const auto k = random_floats(rng, positions * kv * d),
               v = awkward_floats(rng, positions * kv * d);
    write_cache(k, v, positions);
  }

  AttentionArgs args(const float* query, const float* k, const float* v, float* out,
                     float* scratch) const {
    return {query, heads * dim, k,     v,        out, heads * dim, capacity,
            first, tokens,      heads, kv_heads, dim, scale,       scratch};
  }
  std::vector<float> run(AttentionFn* kernel) const {
    Guarded<float> query(q), k(keys), v(values), out(q.size());
    Guarded<float> scratch(usize(attention_scratch_floats(first + tokens, dim)));
    kernel(args(query.data(), k.data(), v.data(), out.data(), scratch.data()));
    return out.copy();
  }

  float key(std::int64_t kv, std::int64_t j, std::int64_t d) const {
    return keys[usize((kv * (capacity / 16) + j / 16) * dim * 16 + d * 16 + j % 16)];
  }
  float value(std::int64_t kv, std::int64_t j, std::int64_t d) const {
    return values[usize((kv * capacity + j) * dim + d)];
  }

 private:
  void write_cache(const std::vector<float>& k, const std::vector<float>& v,
                   std::int64_t positions) {
    for (std::int64_t j = 0; j < positions; ++j)
      for (std::int64_t kv = 0; kv < kv_heads; ++kv)
        for (std::int64_t d = 0; d < dim; ++d) {
          const std::size_t from = usize((j * kv_heads + kv) * dim + d);
          keys[usize((kv * (capacity / 16) + j / 16) * dim * 16 + d * 16 + j % 16)] = k[from];
          values[usize((kv * capacity + j) * dim + d)] = v[from];
        }
  }
};

// The definition of ops/args.h, one position after another.
std::vector<float> defined(const Case& c) {
  std::vector<float> out(c.q.size());
  for (std::int64_t t = 0; t < c.tokens; ++t)
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const std::int64_t kv = h / (c.heads / c.kv_heads), seen = c.first + t + 1;
      const float* q = &c.q[usize((t * c.heads + h) * c.dim)];
      std::vector<float> e(usize(seen));
      float m = -INFINITY;
      for (std::int64_t j = 0; j < seen; ++j) {
        float s = 0;
        for (std::int64_t d = 0; d < c.dim; ++d) s = std::fma(q[d], c.key(kv, j, d), s);
        e[usize(j)] = s * c.scale;
        m = std::max(m, e[usize(j)]);
      }
      for (float& s : e) s -= m;
      exp_reference({e.data(), e.data(), seen});
      float lane[16] = {};
      for (std::int64_t j = 0; j < seen; ++j) lane[j % 16] += e[usize(j)];
      for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
      for (std::int64_t d = 0; d < c.dim; ++d) {
        float sum = 0;
        for (std::int64_t j = 0; j < seen; ++j) sum = std::fma(e[usize(j)], c.value(kv, j, d), sum);
        out[usize((t * c.heads + h) * c.dim + d)] = sum / lane[0];
      }
    }
  return out;
}

class Attention : public KernelTest<AttentionFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Attention, ::testing::ValuesIn(attention_kernels()),
                         kernel_name<AttentionFn>);

TEST_P(Attention, IsTheDefinitionBitForBit) {
  std::mt19937 rng(1);
  for (const std::int64_t dim : {2, 14, 16, 30, 64, 80, 128})
    for (const std::int64_t tokens : {1, 2, 7, 18})
      for (const std::int64_t first : {0, 1, 15, 16, 70, 200})
        for (const std::int64_t group : {1, 3, 4}) {
          const Case c(rng, first, tokens, 2 * group, 2, dim);
          ASSERT_TRUE(same_bits(c.run(GetParam().run), defined(c)))
              << "dim " << dim << " tokens " << tokens << " first " << first << " group " << group;
        }
}

TEST_P(Attention, LargeHeadsAndGroups) {
  std::mt19937 rng(2);
  const Case wide(rng, 21, 3, 2, 1, 512), many(rng, 9, 3, 37, 1, 20);
  EXPECT_TRUE(same_bits(wide.run(GetParam().run), defined(wide)));
  EXPECT_TRUE(same_bits(many.run(GetParam().run), defined(many)));
}

TEST_P(Attention, NanAndInfinityStayWithThoseWhoSeeThem) {
  std::mt19937 rng(3);
  Case c(rng, 0, 20, 4, 1, 32);
  for (const float odd : {NAN, INFINITY, -INFINITY}) {
    c.values[usize(10 * c.dim + 3)] = odd;
    ASSERT_TRUE(same_bits(c.run(GetParam().run), defined(c)));
  }
  c.q[usize(5 * 4 * 32)] = INFINITY;  // scores of +inf and -inf in token 5, head 0
  const auto out = c.run(GetParam().run);
  ASSERT_TRUE(same_bits(out, defined(c)));
  for (std::size_t i = 0; i < 20 * 4; ++i) {
    const bool sees = i / 4 >= 10;
    EXPECT_EQ(std::isnan(out[i * 32 + 1]), i == 20) << i;
    EXPECT_EQ(std::isfinite(out[i * 32 + 3]), !sees && i != 20) << i;
  }
}

TEST(AttentionReference, IsNearTheFormulaInDouble) {
  std::mt19937 rng(4);
  Case c(rng, 300, 2, 4, 2, 128);
  const auto out = c.run(attention_reference);
  for (std::int64_t t = 0; t < c.tokens; ++t)
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const std::int64_t kv = h / 2, seen = c.first + t + 1;
      std::vector<double> e;
      double z = 0;
      for (std::int64_t j = 0; j < seen; ++j) {
        double s = 0;
        for (std::int64_t d = 0; d < c.dim; ++d)
          s += double{c.q[usize((t * c.heads + h) * c.dim + d)]} * c.key(kv, j, d);
        e.push_back(std::exp(s * c.scale));
        z += e.back();
      }
      for (std::int64_t d = 0; d < c.dim; ++d) {
        double sum = 0, magnitude = 0;
        for (std::int64_t j = 0; j < seen; ++j) {
          sum += e[usize(j)] * c.value(kv, j, d);
          magnitude += std::abs(e[usize(j)] * c.value(kv, j, d));
        }
        // Scores of some 10 carry 128 roundings, the value chain 302.
        EXPECT_NEAR(out[usize((t * c.heads + h) * c.dim + d)], sum / z,
                    1000 * 0x1p-24 * magnitude / z);
      }
    }
}

TEST(AttentionOp, DoesNotDependOnThreadsNorOnBatching) {
  std::mt19937 rng(5);
  const Case c(rng, 37, 53, 12, 3, 64);
  const auto expected = defined(c);
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    std::vector<float> out(expected.size());
    const AttentionArgs all =
        c.args(c.q.data(), c.keys.data(), c.values.data(), out.data(), nullptr);
    attention(all, pool);
    EXPECT_TRUE(same_bits(out, expected)) << threads;
    std::fill(out.begin(), out.end(), 0.0f);
    for (std::int64_t t = 0; t < c.tokens; ++t) {
      AttentionArgs one = all;
      one.q += t * c.heads * c.dim;
      one.out += t * c.heads * c.dim;
      one.first_position += t;
      one.tokens = 1;
      attention(one, pool);
    }
    EXPECT_TRUE(same_bits(out, expected)) << threads;
  }
}

}  // namespace
}  // namespace bitnet::cpu
