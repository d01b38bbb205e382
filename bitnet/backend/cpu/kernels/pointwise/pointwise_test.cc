// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/base/half.h"

namespace bitnet::cpu {
namespace {

class Pointwise : public KernelTest<PointwiseFn> {
 protected:
  PointwiseKernels kernels_ = GetParam().run();
  PointwiseKernels reference_ = pointwise_reference();
  std::mt19937 rng_{1};
};
INSTANTIATE_TEST_SUITE_P(Kernels, Pointwise, ::testing::ValuesIn(pointwise_kernels()),
                         kernel_name<PointwiseFn>);

// Numbers of every size and kind, NaN and infinities included.
std::vector<float> hard_floats(std::mt19937& rng, std::int64_t count) {
  std::vector<float> v = awkward_floats(rng, count);
  const float odd[] = {INFINITY, -INFINITY, NAN, 3.4e38f, 1.0f, -1.0f, 2.0f, -3.0f, 0.5f};
  for (float& x : v) {
    if (rng() % 8 == 0) x = odd[rng() % std::size(odd)];
    if (rng() % 8 == 0) x = std::bit_cast<float>(std::uint32_t(rng()));
    if (rng() % 4 == 0) x *= 20.0f;
  }
  return v;
}

TEST_P(Pointwise, UnaryEqualsTheReferenceAndStaysInsideItsRun) {
  for (int op = 0; op <= int(UnaryOp::clamp); ++op)
    for (const std::int64_t count : {1, 7, 15, 16, 17, 33, 500}) {
      Guarded<float> x(hard_floats(rng_, count)), a(usize(count)), b(usize(count));
      kernels_.unary({x.data(), a.data(), count, UnaryOp(op), 0.1f, 0.7f});
      reference_.unary({x.data(), b.data(), count, UnaryOp(op), 0.1f, 0.7f});
      ASSERT_TRUE(same_bits(a.copy(), b.copy())) << op << " " << count;
      kernels_.unary({x.data(), x.data(), count, UnaryOp(op), 0.1f, 0.7f});
      ASSERT_TRUE(same_bits(x.copy(), b.copy())) << "in place " << op;
    }
}

TEST_P(Pointwise, BinaryEqualsTheReferenceForRunsAndRepeatedElements) {
  for (int op = 0; op <= int(BinaryOp::clamp_grad); ++op)
    for (const std::int64_t count : {1, 15, 16, 49, 300})
      for (const auto& [a_step, b_step] : {std::pair{1, 1}, {0, 1}, {1, 0}, {0, 0}}) {
        Guarded<float> x(hard_floats(rng_, a_step ? count : 1));
        Guarded<float> y(hard_floats(rng_, b_step ? count : 1)), a(usize(count)), b(usize(count));
        kernels_.binary(
            {x.data(), y.data(), a_step, b_step, a.data(), count, BinaryOp(op), 0.1f, 0.7f});
        reference_.binary(
            {x.data(), y.data(), a_step, b_step, b.data(), count, BinaryOp(op), 0.1f, 0.7f});
        ASSERT_TRUE(same_bits(a.copy(), b.copy())) << op << " " << count;
      }
}

TEST_P(Pointwise, CompareAndWhereAreTheirDefinitions) {
  const auto holds = [](CompareOp op, float x, float y) {
    switch (op) {
      case CompareOp::eq:
        return x == y;
      case CompareOp::ne:
        return x != y;
      case CompareOp::lt:
        return x < y;
      case CompareOp::le:
        return x <= y;
      case CompareOp::gt:
        return x > y;
      case CompareOp::ge:
        return x >= y;
    }
    return false;
  };
  for (int op = 0; op <= int(CompareOp::ge); ++op)
    for (const std::int64_t count : {1, 16, 31, 200})
      for (const auto& [a_step, b_step] : {std::pair{1, 1}, {0, 1}, {1, 0}}) {
        Guarded<float> x(hard_floats(rng_, a_step ? count : 1));
        Guarded<float> y(hard_floats(rng_, b_step ? count : 1)), chosen(usize(count));
        if (a_step && b_step) y.data()[0] = x.data()[0];
        Guarded<std::uint8_t> out(usize(count));
        kernels_.compare({x.data(), y.data(), a_step, b_step, out.data(), count, CompareOp(op)});
        kernels_.where({out.data(), x.data(), y.data(), a_step, b_step, chosen.data(), count});
        for (std::int64_t i = 0; i < count; ++i) {
          const float a = x.data()[i * a_step], b = y.data()[i * b_step];
          const bool yes = holds(CompareOp(op), a, b);
          ASSERT_EQ(out.data()[i], yes);
          ASSERT_TRUE(same_bits({&chosen.data()[i], 1}, {yes ? &a : &b, 1}));
        }
      }
}

TEST_P(Pointwise, MinAndMaxKeepNaNAndOrderZeros) {
  const float a[] = {0.0f, -0.0f, NAN, 1.0f, -0.0f, INFINITY},
              b[] = {-0.0f, 0.0f, 1.0f, NAN, -0.0f, 2.0f};
  float low[6], high[6];
  kernels_.binary({a, b, 1, 1, low, 6, BinaryOp::min, 0, 0});
  kernels_.binary({a, b, 1, 1, high, 6, BinaryOp::max, 0, 0});
  const float least[] = {-0.0f, -0.0f, NAN, NAN, -0.0f, 2.0f};
  const float most[] = {0.0f, 0.0f, NAN, NAN, -0.0f, INFINITY};
  EXPECT_TRUE(same_bits(low, least));
  EXPECT_TRUE(same_bits(high, most));
}

// Every half and every bf16; floats at and beside the borders between them.
TEST_P(Pointwise, ConvertsHalvesAsBaseHalfDoes) {
  for (const DType type : {DType::f16, DType::bf16}) {
    const auto up = type == DType::f16 ? f16_to_f32 : bf16_to_f32;
    const auto down = type == DType::f16 ? f32_to_f16 : f32_to_bf16;
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = std::uint16_t(i);
    std::vector<float> wide(all.size());
    kernels_.convert({all.data(), wide.data(), 65536, type, DType::f32});
    std::vector<float> expected, tries;
    for (const std::uint16_t h : all) expected.push_back(up(h));
    ASSERT_TRUE(same_bits(wide, expected));
    for (std::size_t i = 0; i + 1 < wide.size(); ++i) {
      const float middle = float((double(wide[i]) + double(wide[i + 1])) / 2);
      for (const float x :
           {wide[i], middle, std::nextafter(middle, -INFINITY), std::nextafter(middle, INFINITY)})
        tries.push_back(x);
    }
    for (const float x : {3.4e38f, 65504.0f, 65519.9f, 65520.0f, 1e-45f, NAN, INFINITY})
      tries.push_back(x);
    std::vector<std::uint16_t> narrow(tries.size());
    kernels_.convert({tries.data(), narrow.data(), std::int64_t(tries.size()), DType::f32, type});
    for (std::size_t i = 0; i < tries.size(); ++i) {
      if (std::isnan(tries[i])) {
        ASSERT_TRUE(std::isnan(up(narrow[i])));
      } else {
        ASSERT_EQ(narrow[i], down(tries[i])) << tries[i];
      }
    }
  }
  for (const std::int64_t count : {1, 15, 17, 40}) {
    Guarded<std::int8_t> q(usize(count));
    Guarded<float> out(usize(count));
    for (std::int64_t i = 0; i < count; ++i) q.data()[i] = std::int8_t(rng_());
    kernels_.convert({q.data(), out.data(), count, DType::i8, DType::f32});
    for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(out.data()[i], float(q.data()[i]));
  }
}

}  // namespace
}  // namespace bitnet::cpu
