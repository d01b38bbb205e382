// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/attention/attention.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/kernels/kv_write/kv_testing.h"

namespace bitnet::cpu {
namespace {

struct Case {
  KvType type;
  std::int64_t first, tokens, heads, kv_heads, dim, capacity;
  float scale;
  std::vector<float> q, k, v;
  KvHalf keys, values;

  Case(std::mt19937& rng, KvType kind, std::int64_t f, std::int64_t t, std::int64_t h,
       std::int64_t kv, std::int64_t d)
      : type(kind),
        first(f),
        tokens(t),
        heads(h),
        kv_heads(kv),
        dim(d),
        capacity((f + t + 15) / 16 * 16),
        scale(1 / std::sqrt(static_cast<float>(d))),
        q(awkward_floats(rng, t * h * d)),
        k(random_floats(rng, (f + t) * kv * d)),
        v(awkward_floats(rng, (f + t) * kv * d)),
        keys(kind, true, kv, capacity, d),
        values(kind, false, kv, capacity, d) {
    // Ordinary numbers: large ones would make every exp 0 or 1.
    for (float& x : q) x = std::abs(x) > 100 ? 1 : x;
    fill();
  }

  // Rounds k and v.
  void fill() {
    for (std::int64_t j = 0; j < first + tokens; ++j)
      for (std::int64_t kv = 0; kv < kv_heads; ++kv) {
        const std::size_t from = usize((j * kv_heads + kv) * dim);
        keys.put(kv, j, KvPosition(type, &k[from], dim));
        values.put(kv, j, KvPosition(type, &v[from], dim));
      }
  }

  AttentionArgs args(const float* query, const void* key, const void* value, float* out,
                     float* scratch) const {
    return {query,  heads * dim, key,      value, out,   heads * dim, capacity, first,
            tokens, heads,       kv_heads, dim,   scale, scratch,     type};
  }
  std::vector<float> run(AttentionFn* kernel) const {
    Guarded<float> query(q), out(q.size());
    Guarded<std::byte> key(keys.bytes()), value(values.bytes());
    AttentionArgs a = args(query.data(), key.data(), value.data(), out.data(), nullptr);
    Guarded<float> scratch(usize(attention_scratch_floats(a)));
    a.scratch = scratch.data();
    kernel(a);
    return out.copy();
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
        for (std::int64_t d = 0; d < c.dim; ++d) s = std::fma(q[d], c.keys.number(kv, j, d), s);
        if (c.type == KvType::int8) s *= c.keys.scale(kv, j);
        e[usize(j)] = s * c.scale;
        m = std::max(m, e[usize(j)]);
      }
      for (float& s : e) s -= m;
      exp_reference({e.data(), e.data(), seen});
      float lane[16] = {};
      for (std::int64_t j = 0; j < seen; ++j) lane[j % 16] += e[usize(j)];
      for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
      if (c.type == KvType::int8)
        for (std::int64_t j = 0; j < seen; ++j) e[usize(j)] *= c.values.scale(kv, j);
      for (std::int64_t d = 0; d < c.dim; ++d) {
        float sum = 0;
        for (std::int64_t j = 0; j < seen; ++j)
          sum = std::fma(e[usize(j)], c.values.number(kv, j, d), sum);
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
  for (const KvType type : kKvTypes)
    for (const std::int64_t dim : {2, 14, 16, 30, 64, 80, 128})
      for (const std::int64_t tokens : {1, 2, 7, 18})
        for (const std::int64_t first : {0, 1, 15, 16, 70, 200})
          for (const std::int64_t group : {1, 3, 4}) {
            const Case c(rng, type, first, tokens, 2 * group, 2, dim);
            ASSERT_TRUE(same_bits(c.run(GetParam().run), defined(c)))
                << "type " << static_cast<int>(type) << " dim " << dim << " tokens " << tokens
                << " first " << first << " group " << group;
          }
}

TEST_P(Attention, LargeHeadsAndGroups) {
  std::mt19937 rng(2);
  for (const KvType type : kKvTypes) {
    const Case wide(rng, type, 21, 3, 2, 1, 512), many(rng, type, 9, 3, 37, 1, 20);
    EXPECT_TRUE(same_bits(wide.run(GetParam().run), defined(wide)));
    EXPECT_TRUE(same_bits(many.run(GetParam().run), defined(many)));
  }
}

TEST_P(Attention, NanAndInfinityStayWithThoseWhoSeeThem) {
  std::mt19937 rng(3);
  for (const KvType type : kKvTypes) {
    Case c(rng, type, 0, 20, 4, 1, 32);
    for (const float odd : {NAN, INFINITY, -INFINITY}) {
      c.v[usize(10 * c.dim + 3)] = odd;
      c.fill();
      ASSERT_TRUE(same_bits(c.run(GetParam().run), defined(c)));
    }
    c.q[usize(5 * 4 * 32)] = INFINITY;  // scores of +inf and -inf in token 5, head 0
    const auto out = c.run(GetParam().run);
    ASSERT_TRUE(same_bits(out, defined(c)));
    for (std::size_t i = 0; i < 20 * 4; ++i) {
      const bool sees = i / 4 >= 10;
      // One scale for all values of an int8 position: they are lost together.
      EXPECT_EQ(std::isnan(out[i * 32 + 1]), i == 20 || (sees && type == KvType::int8)) << i;
      EXPECT_EQ(std::isfinite(out[i * 32 + 3]), !sees && i != 20) << i;
    }
  }
}

// Widening bf16 is exact, so nothing but the rounding may tell the two apart.
TEST_P(Attention, Bf16EqualsF32OfRoundedNumbers) {
  std::mt19937 rng(6);
  for (const std::int64_t tokens : {1, 18}) {
    const Case half(rng, KvType::bf16, 90, tokens, 8, 2, 80);
    Case whole(rng, KvType::f32, 90, tokens, 8, 2, 80);
    whole.q = half.q;
    for (std::size_t i = 0; i < half.k.size(); ++i) {
      whole.k[i] = bf16_to_f32(f32_to_bf16(half.k[i]));
      whole.v[i] = bf16_to_f32(f32_to_bf16(half.v[i]));
    }
    whole.fill();
    EXPECT_TRUE(same_bits(half.run(GetParam().run), whole.run(GetParam().run)));
  }
}

// Of every type: the formula in double over the numbers that the cache holds.
TEST(AttentionReference, IsNearTheFormulaInDouble) {
  std::mt19937 rng(4);
  for (const KvType type : kKvTypes) {
    const Case c(rng, type, 300, 2, 4, 2, 128);
    const auto out = c.run(attention_reference);
    for (std::int64_t t = 0; t < c.tokens; ++t)
      for (std::int64_t h = 0; h < c.heads; ++h) {
        const std::int64_t kv = h / 2, seen = c.first + t + 1;
        std::vector<double> e;
        double z = 0;
        for (std::int64_t j = 0; j < seen; ++j) {
          double s = 0;
          for (std::int64_t d = 0; d < c.dim; ++d)
            s += double{c.q[usize((t * c.heads + h) * c.dim + d)]} * c.keys.scale(kv, j) *
                 c.keys.number(kv, j, d);
          e.push_back(std::exp(s * c.scale));
          z += e.back();
        }
        for (std::int64_t d = 0; d < c.dim; ++d) {
          double sum = 0, magnitude = 0;
          for (std::int64_t j = 0; j < seen; ++j) {
            const double product = e[usize(j)] * c.values.scale(kv, j) * c.values.number(kv, j, d);
            sum += product;
            magnitude += std::abs(product);
          }
          // Scores of some 10 carry 128 roundings, the value chain 302.
          EXPECT_NEAR(out[usize((t * c.heads + h) * c.dim + d)], sum / z,
                      1000 * 0x1p-24 * magnitude / z);
        }
      }
  }
}

// Each score moves by half a step of a key times |q| at most, say to x; weights then by a factor of
// e^2x, and values by half a step of their own.
TEST(AttentionReference, Int8IsWithinItsStepsOfF32) {
  std::mt19937 rng(7);
  Case c(rng, KvType::int8, 200, 1, 4, 1, 64), exact(rng, KvType::f32, 200, 1, 4, 1, 64);
  c.v = random_floats(rng, 201 * 64);
  c.fill();
  exact.q = c.q;
  exact.k = c.k;
  exact.v = c.v;
  exact.fill();
  const auto out = c.run(attention_reference), wanted = exact.run(attention_reference);
  double key_step = 0, value_step = 0, largest = 0, worst = 0;
  for (std::int64_t j = 0; j < 201; ++j) {
    key_step = std::max(key_step, double{c.keys.scale(0, j)});
    value_step = std::max(value_step, double{c.values.scale(0, j)});
  }
  for (const float x : c.v) largest = std::max(largest, std::abs(double{x}));
  for (std::size_t h = 0; h < 4; ++h) {
    double query = 0;
    for (std::size_t d = 0; d < 64; ++d) query += std::abs(c.q[h * 64 + d]);
    const double moved = query * key_step / 2 * c.scale;
    const double bound = std::expm1(2 * moved) * largest + 0.51 * value_step;
    for (std::size_t d = 0; d < 64; ++d) {
      const double difference = std::abs(double{out[h * 64 + d]} - wanted[h * 64 + d]);
      EXPECT_LE(difference, bound);
      worst = std::max(worst, difference / value_step);
    }
  }
  EXPECT_GT(worst, 0.01);  // it is not the f32 cache that was read
}

TEST(AttentionOp, DoesNotDependOnThreadsNorOnBatching) {
  std::mt19937 rng(5);
  for (const KvType type : kKvTypes) {
    const Case c(rng, type, 37, 53, 12, 3, 64);
    const auto expected = defined(c);
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      std::vector<float> out(expected.size());
      const AttentionArgs all =
          c.args(c.q.data(), c.keys.bytes().data(), c.values.bytes().data(), out.data(), nullptr);
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
}

}  // namespace
}  // namespace bitnet::cpu
