// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/reduce/reduce.h"

#include "bitnet/backend/cpu/kernels/kernel_testing.h"

namespace bitnet::cpu {
namespace {

constexpr PieceOp kOps[] = {PieceOp::sum,          PieceOp::sum_abs, PieceOp::sum_squares,
                            PieceOp::sum_centered, PieceOp::prod,    PieceOp::max,
                            PieceOp::min};

class Reduce : public KernelTest<ReduceFn> {
 protected:
  ReduceKernels kernels_ = GetParam().run();
  std::mt19937 rng_{1};
};
INSTANTIATE_TEST_SUITE_P(Kernels, Reduce, ::testing::ValuesIn(reduce_kernels()),
                         kernel_name<ReduceFn>);

TEST_P(Reduce, PiecesEqualTheReference) {
  for (const PieceOp op : kOps)
    for (const std::int64_t count : {1, 2, 15, 16, 17, 63, 64, 65, 100, 2047, 2048})
      for (const bool awkward : {false, true}) {
        Guarded<float> x(awkward ? awkward_floats(rng_, count) : random_floats(rng_, count));
        const float got = kernels_.piece({x.data(), count, op, 0.3f});
        const float expected = reduce_reference().piece({x.data(), count, op, 0.3f});
        ASSERT_TRUE(same_bits({&got, 1}, {&expected, 1})) << int(op) << " " << count;
      }
}

TEST_P(Reduce, AMaximumIsOneOfTheElementsAndNaNWins) {
  for (std::int64_t count = 1; count < 200; ++count) {
    std::vector<float> x = random_floats(rng_, count);
    const std::size_t place = rng_() % x.size();
    x[place] = 100.0f;
    EXPECT_EQ(kernels_.piece({x.data(), count, PieceOp::max, 0}), 100.0f);
    x[place] = -100.0f;
    EXPECT_EQ(kernels_.piece({x.data(), count, PieceOp::min, 0}), -100.0f);
    x[place] = NAN;
    EXPECT_TRUE(std::isnan(kernels_.piece({x.data(), count, PieceOp::max, 0})));
    EXPECT_TRUE(std::isnan(kernels_.piece({x.data(), count, PieceOp::min, 0})));
  }
}

TEST_P(Reduce, OfZerosTheMaximumIsPositiveAndTheMinimumNegative) {
  for (const std::int64_t count : {1, 15, 64, 65, 200})
    for (const float others : {0.0f, -0.0f}) {
      std::vector<float> x(usize(count), others);
      x[rng_() % x.size()] = -others;
      const bool both = count > 1;
      const float most = kernels_.piece({x.data(), count, PieceOp::max, 0});
      const float least = kernels_.piece({x.data(), count, PieceOp::min, 0});
      EXPECT_EQ(std::signbit(most), both ? false : std::signbit(x[0])) << count;
      EXPECT_EQ(std::signbit(least), both ? true : std::signbit(x[0])) << count;
      EXPECT_EQ(most, 0.0f);
      EXPECT_EQ(least, 0.0f);
    }
}

TEST_P(Reduce, FourRowsOfALaneAreAddedInTurn) {
  for (const PieceOp op : kOps)
    for (const std::int64_t count : {1, 15, 16, 33, 512}) {
      const std::int64_t step = count + 3;
      Guarded<float> x(random_floats(rng_, 3 * step + count)), center(random_floats(rng_, count));
      const std::vector<float> start = random_floats(rng_, count);
      Guarded<float> a(start), b(start);
      kernels_.columns({x.data(), center.data(), a.data(), count, op, kLaneRows, step, 5 * step});
      for (std::int64_t i = 0; i < kLaneRows; ++i)
        reduce_reference().columns({x.data() + i * step, center.data(), b.data(), count, op});
      ASSERT_TRUE(same_bits(a.copy(), b.copy())) << int(op) << " " << count;
    }
}

TEST_P(Reduce, ColumnsEqualTheReference) {
  for (const PieceOp op : kOps)
    for (const std::int64_t count : {1, 15, 16, 33, 512}) {
      Guarded<float> x(awkward_floats(rng_, count)), center(random_floats(rng_, count));
      const std::vector<float> start = random_floats(rng_, count);
      Guarded<float> a(start), b(start);
      kernels_.columns({x.data(), center.data(), a.data(), count, op});
      reduce_reference().columns({x.data(), center.data(), b.data(), count, op});
      ASSERT_TRUE(same_bits(a.copy(), b.copy())) << int(op) << " " << count;
    }
}

}  // namespace
}  // namespace bitnet::cpu
