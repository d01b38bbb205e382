// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"

#include <cfloat>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention_testing.h"
#include "bitnet/base/math.h"

namespace bitnet::cpu {
namespace {

float exp1(float x) {
  float y;
  exp_reference({&x, &y, 1});
  return y;
}

// The definition of ops/flash_attention_args.h, one row and one key after another.
struct DefinedRow {
  float max = -FLT_MAX, sum = 0;
  std::vector<float> acc;

  DefinedRow(const FlashCase& c, std::int64_t b, std::int64_t h, std::int64_t t)
      : acc(usize(c.shape.value_dim)) {
    const FlashShape& s = c.shape;
    const std::int64_t kv = h / (s.heads / s.kv_heads);
    for (std::int64_t chunk = 0; chunk < s.keys; chunk += 1024) {
      float m = -FLT_MAX, l = 0;
      std::vector<float> sums(acc.size());
      bool seen = false;
      for (std::int64_t block = chunk; block < std::min(chunk + 1024, s.keys); block += 64)
        seen |= add_block(c, b, h, kv, t, block, m, l, sums);
      if (!seen) continue;
      const float n = std::max(max, m), old = exp1(max - n), now = exp1(m - n);
      sum = std::fma(l, now, sum * old);
      for (std::size_t d = 0; d < acc.size(); ++d) acc[d] = std::fma(sums[d], now, acc[d] * old);
      max = n;
    }
  }

 private:
  static bool add_block(const FlashCase& c, std::int64_t b, std::int64_t h, std::int64_t kv,
                        std::int64_t t, std::int64_t block, float& m, float& l,
                        std::vector<float>& sums) {
    std::vector<std::pair<std::int64_t, float>> p;
    float n = m;
    for (std::int64_t j = block; j < std::min(block + 64, c.shape.keys); ++j) {
      if (!c.shape.sees(t, j)) continue;
      float score = 0;
      for (std::int64_t d = 0; d < c.shape.dim; ++d)
        score = std::fma(c.q.at(b, h, t, d), c.k.at(b, kv, j, d), score);
      p.emplace_back(j, score * c.shape.args().scale);
      n = std::max(n, p.back().second);
    }
    if (p.empty()) return false;
    const float a = exp1(m - n);
    float lane[16] = {};
    for (float& s : sums) s *= a;
    for (auto& [j, weight] : p) {
      weight = exp1(weight - n);
      lane[j % 16] += weight;
      for (std::size_t d = 0; d < sums.size(); ++d)
        sums[d] = std::fma(weight, c.v.at(b, kv, j, static_cast<std::int64_t>(d)), sums[d]);
    }
    for (int width = 8; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
    l = l * a + lane[0];
    m = n;
    return true;
  }
};

template <class Each>
void for_rows_of(const FlashShape& s, const Each& each) {
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::int64_t t = 0; t < s.queries; ++t) each(b, h, t);
}

void define(FlashCase& c) {
  for_rows_of(c.shape, [&](std::int64_t b, std::int64_t h, std::int64_t t) {
    const DefinedRow row(c, b, h, t);
    for (std::int64_t d = 0; d < c.shape.value_dim; ++d)
      c.out.at(b, h, t, d) = row.sum == 0 ? 0.0f : row.acc[usize(d)] / row.sum;
    c.logsumexp.at(b, h, t, 0) = static_cast<float>(double{row.max} + det_log(double{row.sum}));
  });
}

// All rows of the case through one kernel: `rows` at a time, whole or chunk by chunk. Fills out;
// returns M and L of all rows.
std::vector<float> run(FlashForwardFn* kernel, FlashCase& c, std::int64_t size, bool split) {
  Guarded<float> q(c.q.values()), k(c.k.values()), v(c.v.values()), out(c.out.values());
  const FlashShape& s = c.shape;
  FlashAttentionArgs a = s.args();
  a.q = c.q.rows<const float>(q.data()), a.k = c.k.rows<const float>(k.data());
  a.v = c.v.rows<const float>(v.data()), a.out = c.out.rows<float>(out.data());
  const std::int64_t total = s.queries * (s.heads / s.kv_heads), chunks = (s.keys + 1023) / 1024;
  std::vector<float> found;
  for (std::int64_t head = 0; head < s.batch * s.kv_heads; ++head)
    for (std::int64_t first = 0; first < total; first += size) {
      const std::int64_t rows = std::min(size, total - first);
      Guarded<float> scratch(usize(flash_forward_scratch_floats(rows, s.dim, s.value_dim)));
      Guarded<float> states(usize(chunks * flash_state_floats(rows, s.value_dim)));
      Guarded<float> sums(2 * kFlashRows);
      FlashForwardJob job{
          &a, head / s.kv_heads, head % s.kv_heads, first,         rows, FlashStep::chunk,
          0,  states.data(),     sums.data(),       scratch.data()};
      for (; split && job.chunk < chunks; ++job.chunk) {
        kernel(job);
        job.states += flash_state_floats(rows, s.value_dim);
      }
      job.states = states.data();
      job.step = split ? FlashStep::combine : FlashStep::whole;
      kernel(job);
      for (std::int64_t r = 0; r < rows; ++r) {
        found.push_back(sums.data()[r]);
        found.push_back(sums.data()[kFlashRows + r]);
      }
    }
  c.out.values() = out.copy();
  return found;
}

class FlashForward : public KernelTest<FlashForwardFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, FlashForward, ::testing::ValuesIn(flash_forward_kernels()),
                         kernel_name<FlashForwardFn>);

TEST_P(FlashForward, IsTheDefinitionBitForBit) {
  std::mt19937 rng(1);
  for (int i = 0; i < 150; ++i) {
    FlashCase c(rng, random_shape(rng)), expected = c;
    define(expected);
    run(GetParam().run, c, pick(rng, {1, 2, 7, 16, 64, 128}), false);
    ASSERT_TRUE(same_bits(c.out.values(), expected.out.values())) << c.shape;
  }
}

TEST_P(FlashForward, ChunksTakenAloneGiveTheSame) {
  std::mt19937 rng(2);
  for (const std::int64_t window : {0, 30, 1100})
    for (const std::int64_t keys : {1024, 1025, 2200}) {
      FlashCase c(rng, {1, 3, 1, 5, keys, 17, 19, window, true}), expected = c;
      define(expected);
      for (const bool split : {false, true}) {
        run(GetParam().run, c, 16, split);
        ASSERT_TRUE(same_bits(c.out.values(), expected.out.values())) << c.shape << split;
      }
    }
}

// Values that nearly cancel, zeros of both signs, weights that underflow: where a chain that took a
// step of 0 * v for a key that is not seen would differ.
TEST_P(FlashForward, AwkwardNumbers) {
  std::mt19937 rng(3);
  for (int i = 0; i < 40; ++i) {
    FlashCase c(rng, random_shape(rng));
    for (FlashTensor* x : {&c.q, &c.k}) {
      auto values = awkward_floats(rng, x->size());
      for (float& f : values) f = std::abs(f) > 100 ? 40.0f : f;
      x->fill(values);
    }
    c.v.fill(awkward_floats(rng, c.v.size()));
    FlashCase expected = c;
    define(expected);
    run(GetParam().run, c, 16, false);
    ASSERT_TRUE(same_bits(c.out.values(), expected.out.values())) << c.shape;
  }
}

// Row 0 ends as -0 after its two chunks; adding the third, which row 1 alone sees, would make +0.
TEST_P(FlashForward, ChunksThatARowDoesNotSeeLeaveItsZero) {
  std::mt19937 rng(8);
  FlashCase c(rng, {1, 1, 1, 2, 2049, 1, 1, 0, true});
  c.q.fill({1, 1});
  c.k.fill(std::vector<float>(2049));
  c.k.at(0, 0, 1024, 0) = 5;
  c.v.fill(std::vector<float>(2049, -1e-45f));
  c.v.at(0, 0, 1024, 0) = -0.0f;
  for (std::int64_t j = 1; j < 1024; ++j) c.v.at(0, 0, j, 0) = -0.0f;
  FlashCase expected = c;
  define(expected);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(expected.out.at(0, 0, 0, 0)), 0x80000000u);
  run(GetParam().run, c, 128, false);
  EXPECT_TRUE(same_bits(c.out.values(), expected.out.values()));
}

TEST_P(FlashForward, NanAndInfinityStayWithThoseWhoSeeThem) {
  std::mt19937 rng(4);
  const FlashShape shape{1, 2, 1, 80, 80, 16, 16, 20, true};
  for (const float odd : {NAN, INFINITY, -INFINITY})
    for (const bool in_key : {true, false}) {
      FlashCase c(rng, shape);
      for (std::int64_t t = 0; t < 80; ++t) c.q.at(0, 0, t, 2) = c.q.at(0, 1, t, 2) = 0.5f;
      (in_key ? c.k : c.v).at(0, 0, 37, 2) = odd;
      FlashCase expected = c;
      define(expected);
      run(GetParam().run, c, 128, false);
      ASSERT_TRUE(same_bits(c.out.values(), expected.out.values()));
      for (std::int64_t t = 0; t < 80; ++t)
        for (std::int64_t d = 0; d < 16; ++d) {
          const bool sees = t >= 37 && t < 57, weightless = in_key && odd == -INFINITY;
          // Row 37 to 56 see the key; a value's oddness stays in its column.
          EXPECT_EQ(std::isfinite(c.out.at(0, 1, t, d)), !sees || weightless || (!in_key && d != 2))
              << t << " " << d;
        }
    }
}

TEST_P(FlashForward, RowsWithoutWeightAreZero) {
  std::mt19937 rng(5);
  FlashCase c(rng, {1, 1, 1, 70, 66, 16, 5, 0, true});  // queries 0 to 3 see nothing
  for (std::int64_t d = 0; d < 16; ++d) c.q.at(0, 0, 9, d) = -INFINITY;
  for (std::int64_t j = 0; j < 66; ++j)
    for (std::int64_t d = 0; d < 16; ++d) c.k.at(0, 0, j, d) = std::abs(c.k.at(0, 0, j, d)) + 1;
  const auto found = run(GetParam().run, c, 128, false);
  for (const std::int64_t t : {0, 1, 2, 3, 9}) {
    EXPECT_EQ(found[usize(2 * t + 1)], 0.0f) << t;
    for (std::int64_t d = 0; d < 5; ++d)
      EXPECT_EQ(std::bit_cast<std::uint32_t>(c.out.at(0, 0, t, d)), 0u) << t;
  }
  EXPECT_NE(c.out.at(0, 0, 4, 0), 0.0f);
}

TEST(FlashAttentionOp, IsNearAttentionInDouble) {
  std::mt19937 rng(6);
  for (const FlashShape& shape : {FlashShape{1, 4, 2, 3, 1500, 128, 64, 0, true},
                                  FlashShape{2, 2, 2, 40, 100, 40, 24, 0, false},
                                  FlashShape{1, 2, 1, 90, 90, 64, 64, 33, true}}) {
    FlashCase c(rng, shape);
    ThreadPool pool(1);
    FlashAttentionArgs a = shape.args();
    a.q = c.q.rows<const float>(c.q.values().data());
    a.k = c.k.rows<const float>(c.k.values().data());
    a.v = c.v.rows<const float>(c.v.values().data());
    a.out = c.out.rows<float>(c.out.values().data());
    a.logsumexp = c.logsumexp.rows<float>(c.logsumexp.values().data());
    flash_attention(a, pool);
    for_rows_of(shape, [&](std::int64_t b, std::int64_t h, std::int64_t t) {
      const DoubleRow row(c, b, h, t);
      // Scores below 8 carry the roundings of their chain, at most dim halves of an ulp of 8; the
      // chains of weights and values one each a key, chunk and block.
      const double relative = 0x1p-24 * static_cast<double>(8 * shape.dim + 2 * shape.keys);
      EXPECT_NEAR(c.logsumexp.at(b, h, t, 0), row.logsumexp, 8 * relative);
      for (std::int64_t d = 0; d < shape.value_dim; ++d) {
        double sum = 0, magnitude = 0;
        for (std::int64_t j = 0; j < shape.keys; ++j) {
          const double x = row.p[usize(j)] * c.v.at(b, h / (shape.heads / shape.kv_heads), j, d);
          sum += x, magnitude += std::abs(x);
        }
        EXPECT_NEAR(c.out.at(b, h, t, d), sum, relative * magnitude);
      }
    });
  }
}

TEST(FlashAttentionOp, DoesNotDependOnThreads) {
  std::mt19937 rng(7);
  for (const FlashShape& shape : {FlashShape{1, 8, 2, 1, 2500, 64, 64, 0, true},
                                  FlashShape{2, 6, 3, 150, 150, 32, 48, 0, true},
                                  FlashShape{1, 2, 2, 40, 1300, 16, 16, 1100, true},
                                  FlashShape{1, 1, 1, 3, 5, 8, 8, 0, false}}) {
    FlashCase expected(rng, shape);
    define(expected);
    for (const int threads : {1, 2, 3, 7}) {
      FlashCase c = expected;
      std::fill(c.logsumexp.values().begin(), c.logsumexp.values().end(), 0.0f);
      for (float& x : c.out.values()) x = std::isnan(x) ? x : 0.0f;
      ThreadPool pool(threads);
      FlashAttentionArgs a = shape.args();
      a.q = c.q.rows<const float>(c.q.values().data());
      a.k = c.k.rows<const float>(c.k.values().data());
      a.v = c.v.rows<const float>(c.v.values().data());
      a.out = c.out.rows<float>(c.out.values().data());
      a.logsumexp = c.logsumexp.rows<float>(c.logsumexp.values().data());
      flash_attention(a, pool);
      EXPECT_TRUE(same_bits(c.out.values(), expected.out.values())) << shape << threads;
      EXPECT_TRUE(same_bits(c.logsumexp.values(), expected.logsumexp.values())) << shape;
    }
  }
}

}  // namespace
}  // namespace bitnet::cpu
