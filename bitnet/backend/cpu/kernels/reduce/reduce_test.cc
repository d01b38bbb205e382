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
