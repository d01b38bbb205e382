// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/matmul.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"

namespace bitnet::ops {
namespace {

// The definition of ops/matmul_args.h.
Doubles defined(const Doubles& a, const Doubles& b, std::int64_t m, std::int64_t n,
                std::int64_t k) {
  Doubles out;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      float total = 0.0f;
      for (std::int64_t block = 0; block < k; block += 256) {
        float sum = 0.0f;
        for (std::int64_t t = block; t < std::min(k, block + 256); ++t)
          sum = std::fma(float(a[std::size_t(i * k + t)]), float(b[std::size_t(t * n + j)]), sum);
        total = block == 0 ? sum : total + sum;
      }
      out.push_back(double(total));
    }
  return out;
}

class MatmulOp : public ::testing::Test {
 protected:
  Tensor random(const Shape& shape, DType dtype = DType::f32) {
    return tensor_of(normal_doubles(rng_, shape.num_elements()), shape, dtype);
  }
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
};

TEST_F(MatmulOp, AnyShapeStridesTypesAndThreadsGiveTheDefinition) {
  const DType types[] = {DType::f32, DType::f16, DType::bf16};
  const auto below = [&](unsigned n) { return std::int64_t(1 + rng_() % n); };
  std::vector<std::array<std::int64_t, 3>> sizes{
      {1, 1, 1},     {1, 70, 300},  {4, 33, 513}, {5, 40, 17},  {14, 32, 256},
      {15, 33, 257}, {29, 100, 70}, {300, 9, 40}, {3, 600, 64}, {64, 300, 530}};
  for (int i = 0; i < 40; ++i) sizes.push_back({below(40), below(80), below(600)});
  int round = 0;
  for (const auto& [m, n, k] : sizes) {
    const Tensor a = random({m, k}, types[rng_() % 3]), b = random({k, n}, types[rng_() % 3]);
    const Doubles expected = defined(values(a), values(b), m, n, k);
    Runtime runtime(1 + round % 4);
    // Kind 1 is transposed storage; 2 has gaps both ways and is copied.
    const Awkward va(a, round % 3), vb(b, round / 3 % 3);
    ASSERT_EQ(values(matmul(runtime.context(), va.view, vb.view)), expected)
        << m << " " << n << " " << k << " " << round;
    ++round;
  }
}

TEST_F(MatmulOp, LargeEnoughForAllBlocks) {
  const Tensor a = random({2050, 1100}), b = random({1100, 270});
  const Doubles expected = defined(values(a), values(b), 2050, 270, 1100);
  for (const int threads : {1, 2, 3}) {
    Runtime runtime(threads);
    ASSERT_EQ(values(matmul(runtime.context(), a, b)), expected) << threads;
  }
}

// The result as a part of a larger tensor: nothing around it changes, whatever tiles reach over.
// Rows up to and beyond those for which b is not packed, or packed as it is for few rows; more
// depth than is packed at once.
TEST_F(MatmulOp, FewRowsOfDeepProducts) {
  for (const std::int64_t m : {5, 40, 128, 129, 256, 257}) {
    const std::int64_t k = m < 50 ? 2700 : 300, n = 37;
    const Tensor a = random({m, k}), b = random({k, n});
    const Doubles expected = defined(values(a), values(b), m, n, k);
    for (const int storage : {0, 1, 2}) {
      const Awkward view(b, storage);
      ASSERT_EQ(values(matmul(c_, a, view.view)), expected) << m << " " << storage;
    }
    // Columns of a wider matrix.
    const Tensor wide = random({k, n + 11});
    const TensorView part = wide.view().slice(1, {3, 3 + n});
    ASSERT_EQ(values(matmul(c_, a, part)), defined(values(a), values(part), m, n, k)) << m;
  }
}

TEST_F(MatmulOp, NothingBesideTheResultIsWritten) {
  for (const DType type : {DType::f32, DType::bf16, DType::i8})
    for (const auto& [m, n, k] :
         {std::array<std::int64_t, 3>{1, 5, 40}, {5, 33, 70}, {15, 40, 2100}, {29, 3, 9}}) {
      const Tensor a = random({m, k}, type), b = random({k, n}, type);
      const DType out = type == DType::i8 ? DType::i32 : type;
      Tensor large =
          tensor_of(Doubles(std::size_t((m + 20) * (n + 40)), 77), {m + 20, n + 40}, out);
      const MutableTensorView part = large.mutable_view().slice(0, {2, m + 2}).slice(1, {3, n + 3});
      matmul(c_, a, b, part);
      ASSERT_EQ(values(part), values(matmul(c_, a, b, {{}, MatmulActivation::none, type})));
      const Doubles all = values(large);
      for (std::int64_t i = 0; i < m + 20; ++i)
        for (std::int64_t j = 0; j < n + 40; ++j)
          if (i < 2 || i >= m + 2 || j < 3 || j >= n + 3) {
            ASSERT_EQ(all[std::size_t(i * (n + 40) + j)], 77) << i << " " << j;
          }
    }
}

TEST_F(MatmulOp, BiasActivationAndHalves) {
  for (const std::int64_t m : {2, 30}) {
    const std::int64_t n = 3000, k = 20;
    const Tensor a = random({m, k}), b = random({k, n}), bias = random({n});
    const Tensor plain = matmul(c_, a, b);
    for (const MatmulActivation activation :
         {MatmulActivation::none, MatmulActivation::relu, MatmulActivation::relu2})
      for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
        Tensor expected = add(c_, plain, bias);
        if (activation == MatmulActivation::relu) expected = unary(c_, UnaryOp::relu, expected);
        if (activation == MatmulActivation::relu2) expected = unary(c_, UnaryOp::relu2, expected);
        ASSERT_EQ(values(matmul(c_, a, b, {bias, activation, dtype})),
                  values(cast(c_, expected, dtype)));
      }
  }
  EXPECT_EQ(
      values(matmul(c_, Tensor::allocate(DType::f32, {2, 0}), Tensor::allocate(DType::f32, {0, 3}),
                    {tensor_of({1, -2, 3}, {3}), MatmulActivation::relu})),
      (Doubles{1, 0, 3, 1, 0, 3}));
}

TEST_F(MatmulOp, BatchesBroadcast) {
  const Tensor a = random({3, 1, 5, 7}), b = random({2, 7, 4});
  const Tensor product = matmul(c_, a, b);
  EXPECT_EQ(product.shape(), (Shape{3, 2, 5, 4}));
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j)
      EXPECT_EQ(values(product.view().select(0, i).select(0, j)),
                defined(values(a.view().select(0, i).select(0, 0)), values(b.view().select(0, j)),
                        5, 4, 7));
}

TEST_F(MatmulOp, IntegersAreExact) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1},
                                {3, 5, 7},
                                {14, 32, 64},
                                {15, 33, 130},
                                {40, 300, 2100},
                                {6, 16, 4},
                                {64, 40, 3}})
    for (int kind = 0; kind < 3; ++kind)
      for (const bool extreme : {false, true}) {
        Doubles a, b;
        for (std::int64_t i = 0; i < m * k; ++i)
          a.push_back(extreme ? -128 : double(rng_() % 256) - 128);
        for (std::int64_t i = 0; i < k * n; ++i)
          b.push_back(extreme ? (i % 2 ? 127 : -128) : double(rng_() % 256) - 128);
        Doubles expected;
        for (std::int64_t i = 0; i < m; ++i)
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::int64_t t = 0; t < k; ++t)
              sum += a[std::size_t(i * k + t)] * b[std::size_t(t * n + j)];
            expected.push_back(sum);
          }
        const Awkward va(tensor_of(a, {m, k}, DType::i8), kind),
            vb(tensor_of(b, {k, n}, DType::i8), (kind + 1) % 3);
        Runtime runtime(1 + kind);
        ASSERT_EQ(values(matmul(runtime.context(), va.view, vb.view)), expected)
            << m << " " << n << " " << k;
      }
}

TEST_F(MatmulOp, NaNAndInfinityGoWhereIeeeSendsThem) {
  Tensor a = random({20, 30}), b = random({30, 40});
  a.as_mutable<float>()[3 * 30 + 5] = NAN;
  b.as_mutable<float>()[7 * 40 + 9] = INFINITY;
  a.as_mutable<float>()[4 * 30 + 7] = 0.0f;
  const Doubles y = values(matmul(c_, a, b));
  for (std::size_t i = 0; i < 20; ++i)
    for (std::size_t j = 0; j < 40; ++j)
      EXPECT_EQ(std::isfinite(y[i * 40 + j]), i != 3 && j != 9) << i << " " << j;
  EXPECT_TRUE(std::isnan(y[4 * 40 + 9])) << "0 times infinity";
}

TEST_F(MatmulOp, GradientsAreTheSlopes) {
  const Doubles a = normal_doubles(rng_, 2 * 3 * 4), b = normal_doubles(rng_, 4 * 5),
                g = normal_doubles(rng_, 30);
  const auto product = [](const Doubles& x, const Doubles& y) {
    Doubles out;
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t j = 0; j < 5; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < 4; ++k) sum += x[i * 4 + k] * y[k * 5 + j];
        out.push_back(sum);
      }
    return out;
  };
  const auto got =
      matmul_backward(c_, tensor_of(a, {2, 3, 4}), tensor_of(b, {4, 5}), tensor_of(g, {2, 3, 5}));
  EXPECT_EQ(got.a.shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(got.b.shape(), (Shape{4, 5}));
  expect_near(values(got.a),
              numeric_gradient([&](const Doubles& x) { return product(x, b); }, a, g), 1e-5);
  expect_near(values(got.b),
              numeric_gradient([&](const Doubles& y) { return product(a, y); }, b, g), 1e-5);
}

TEST_F(MatmulOp, WhatDoesNotFitIsRefused) {
  const Tensor a = random({2, 3}), b = random({4, 5}), q = random({2, 3}, DType::i8),
               d = random({3, 2}, DType::f64);
  EXPECT_EQ(code_of([&] { matmul(c_, a, b); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { matmul(c_, a, random({3})); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { matmul(c_, a, q.view().transpose(0, 1)); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { matmul(c_, a, d); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { matmul(c_, a, random({3, 4}), {random({5})}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { matmul(c_, q, q.view().transpose(0, 1), {random({2})}); }),
            Errc::unsupported);
  Tensor out = Tensor::allocate(DType::f32, {4, 2});
  EXPECT_EQ(code_of([&] {
              matmul(c_, a, random({3, 4}), out.mutable_view().transpose(0, 1));
            }),
            Errc::unsupported);
}

}  // namespace
}  // namespace bitnet::ops
