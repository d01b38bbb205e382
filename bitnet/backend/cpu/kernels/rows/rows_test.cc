// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/rows/rows.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {
namespace {

constexpr int kOps = int(RowOp::cross_entropy_grad) + 1;

struct Case {
  std::int64_t rows, cols;
  std::vector<float> x, g, weight, bias;
  std::vector<std::int64_t> targets;

  Case(std::mt19937& rng, std::int64_t r, std::int64_t c, bool awkward)
      : rows(r),
        cols(c),
        x(awkward ? awkward_floats(rng, r * c) : random_floats(rng, r * c)),
        g(random_floats(rng, r * c)),
        weight(random_floats(rng, c)),
        bias(random_floats(rng, c)) {
    for (std::int64_t i = 0; i < r; ++i)
      targets.push_back(i % 3 == 2 ? kIgnoredTarget : std::int64_t(rng() % std::uint64_t(c)));
  }

  RowArgs args(RowOp op, float* out, float* extra) const {
    const bool scalar = op == RowOp::cross_entropy;
    return {op,          x.data(),       cols, g.data(),          cols,  weight.data(),
            bias.data(), targets.data(), out,  scalar ? 1 : cols, extra, rows,
            cols,        1e-5f};
  }
  // Output, then what went to extra.
  std::vector<float> run(RowsFn* kernel, RowOp op) const {
    const bool scalar = op == RowOp::cross_entropy;
    Guarded<float> in(x), out(usize(scalar ? rows : rows * cols)), extra(usize(rows * cols));
    std::fill_n(extra.data(), rows * cols, 0.0f);
    RowArgs a = args(op, out.data(), extra.data());
    a.x = in.data();
    kernel(a);
    auto all = out.copy();
    const auto more = extra.copy();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

class Rows : public KernelTest<RowsFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Rows, ::testing::ValuesIn(rows_kernels()), kernel_name<RowsFn>);

TEST_P(Rows, EqualTheReference) {
  std::mt19937 rng(1);
  for (int op = 0; op < kOps; ++op)
    for (const std::int64_t cols : {1, 2, 15, 16, 17, 31, 64, 65, 100, 1000})
      for (const bool awkward : {false, true}) {
        const Case c(rng, 4, cols, awkward);
        ASSERT_TRUE(same_bits(c.run(GetParam().run, RowOp(op)), c.run(rows_reference, RowOp(op))))
            << op << " " << cols;
      }
}

TEST_P(Rows, NaNStaysInItsRow) {
  std::mt19937 rng(2);
  for (int op = 0; op < kOps; ++op) {
    Case c(rng, 3, 37, false);
    const auto before = c.run(GetParam().run, RowOp(op));
    c.x[5] = NAN;
    const auto after = c.run(GetParam().run, RowOp(op));
    const std::size_t row = op == int(RowOp::cross_entropy) ? 1 : 37;
    EXPECT_TRUE(std::isnan(after[row == 1 ? 0 : 5])) << op;
    for (std::size_t i = row; i < 3 * row; ++i) EXPECT_EQ(after[i], before[i]) << op;
  }
}

TEST(RowsOp, DoesNotDependOnThreadsAndMayBeInPlace) {
  std::mt19937 rng(3);
  const Case c(rng, 40, 1500, false);
  for (int op = 0; op < kOps; ++op) {
    const auto expected = c.run(rows_reference, RowOp(op));
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      std::vector<float> out(expected.size(), 0.0f);
      const std::size_t written = expected.size() - c.x.size();
      const RowArgs a = c.args(RowOp(op), out.data(), out.data() + written);
      rows({a.op,
            {a.x, DType::f32, a.x_stride},
            {a.g, DType::f32, a.g_stride},
            a.weight,
            a.bias,
            a.targets,
            {a.out, DType::f32, a.out_stride},
            a.extra,
            a.rows,
            a.cols,
            a.eps},
           pool);
      EXPECT_TRUE(same_bits(out, expected)) << op << " " << threads;
    }
    if (op == int(RowOp::cross_entropy)) continue;
    std::vector<float> x = c.x, extra(x.size());
    RowArgs a = c.args(RowOp(op), x.data(), extra.data());
    a.x = x.data();
    rows_reference(a);
    EXPECT_TRUE(same_bits(x, std::span(expected).first(x.size()))) << op;
  }
}

}  // namespace
}  // namespace bitnet::cpu
