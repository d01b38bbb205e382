// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/kv_write/kv_write.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kv_write/kv_testing.h"

namespace bitnet::cpu {
namespace {

// Some positions to be written into a cache, and the cache as it must be then.
struct Case {
  KvType type;
  std::int64_t first, tokens, heads, dim, capacity = 64, stride;
  std::vector<float> k, v;
  KvHalf keys, values;

  Case(KvType t, std::int64_t f, std::int64_t n, std::int64_t h, std::int64_t d,
       std::vector<float> numbers)
      : type(t),
        first(f),
        tokens(n),
        heads(h),
        dim(d),
        stride(h * d + 4),
        k(numbers),
        v(numbers.rbegin(), numbers.rend()),
        keys(t, true, h, capacity, d),
        values(t, false, h, capacity, d) {
    for (std::int64_t token = 0; token < tokens; ++token)
      for (std::int64_t head = 0; head < heads; ++head) {
        const std::size_t from = usize(token * stride + head * dim);
        keys.put(head, first + token, KvPosition(type, &k[from], dim));
        values.put(head, first + token, KvPosition(type, &v[from], dim));
      }
  }

  // Runs `write` on an unwritten cache and compares every byte.
  template <class Write>
  ::testing::AssertionResult gives(const Write& write) const {
    Guarded<float> from_k(k), from_v(v);
    Guarded<std::byte> to_k(std::vector<std::byte>(keys.bytes().size(), std::byte{0xff}));
    Guarded<std::byte> to_v(std::vector<std::byte>(values.bytes().size(), std::byte{0xff}));
    write({from_k.data(), stride, from_v.data(), stride, to_k.data(), to_v.data(), capacity, first,
           tokens, heads, dim, type});
    if (to_k.copy() != keys.bytes()) return ::testing::AssertionFailure() << "keys differ";
    if (to_v.copy() != values.bytes()) return ::testing::AssertionFailure() << "values differ";
    return ::testing::AssertionSuccess();
  }
};

class KvWrite : public KernelTest<KvWriteFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, KvWrite, ::testing::ValuesIn(kv_write_kernels()),
                         kernel_name<KvWriteFn>);

TEST_P(KvWrite, IsTheDefinitionByteForByteAndTouchesNoOtherPosition) {
  std::mt19937 rng(1);
  for (const KvType type : kKvTypes)
    for (const std::int64_t dim : {2, 14, 16, 30, 64, 80, 128, 130})
      for (const std::int64_t tokens : {1, 5, 40}) {
        const auto x = awkward_floats(rng, tokens * (3 * dim + 4));
        ASSERT_TRUE(Case(type, 13, tokens, 3, dim, x).gives(GetParam().run))
            << "type " << static_cast<int>(type) << " dim " << dim << " tokens " << tokens;
      }
}

// Where the integers are halves: x * (127 / a) is exact.
TEST_P(KvWrite, HalvesAreRoundedToEven) {
  std::vector<float> x(36, 127.0f);
  for (std::size_t i = 1; i < 30; ++i) x[i] = static_cast<float>(i) - 15.5f;
  EXPECT_TRUE(Case(KvType::int8, 3, 1, 1, 32, x).gives(GetParam().run));
}

TEST_P(KvWrite, WhatIsNoNumberSpoilsTheScaleOfItsPositionAlone) {
  std::mt19937 rng(2);
  for (const KvType type : kKvTypes)
    for (const float odd : {INFINITY, -INFINITY, 3e38f, 1e-38f, 0.0f}) {
      auto x = random_floats(rng, 3 * (2 * 20 + 4));
      for (std::size_t i = 44; i < 64; ++i) x[i] = i % 3 == 0 || odd == 0 ? odd : odd * 0.5f;
      EXPECT_TRUE(Case(type, 0, 3, 2, 20, x).gives(GetParam().run)) << odd;
    }
  // IEEE 754 leaves open which NaN comes out of a division: only that it is one.
  for (const std::size_t place : {0u, 15u, 17u, 19u}) {
    std::vector<float> x(20, 1.0f);
    x[place] = NAN;
    KvHalf keys(KvType::int8, true, 1, 16, 20), values = keys;
    for (std::byte& b : keys.bytes()) b = std::byte{0};
    KvWriteArgs args{x.data(), 20, x.data(), 20, keys.bytes().data(), values.bytes().data(), 16,
                     2,        1,  1,        20, KvType::int8};
    GetParam().run(args);
    EXPECT_TRUE(std::isnan(keys.scale(0, 2))) << place;
    EXPECT_EQ(keys.scale(0, 1), 0) << place;
    EXPECT_EQ(keys.number(0, 2, 3), 0) << place;
  }
}

TEST(KvWriteReference, Int8IsWithinHalfAStepAndUsesTheWholeRange) {
  std::mt19937 rng(3);
  for (const float magnitude : {1e-20f, 1e-3f, 1.0f, 1e6f, 1e30f}) {
    auto x = random_floats(rng, 200 * 64);
    for (float& n : x) n *= magnitude;
    KvHalf keys(KvType::int8, true, 1, 208, 64), values(KvType::int8, false, 1, 208, 64);
    kv_write_reference({x.data(), 64, x.data(), 64, keys.bytes().data(), values.bytes().data(), 208,
                        0, 200, 1, 64, KvType::int8});
    for (std::int64_t p = 0; p < 200; ++p) {
      float most = 0;
      for (std::int64_t k = 0; k < 64; ++k) {
        const double held = double{values.scale(0, p)} * values.number(0, p, k);
        // A product, a quotient and a division round: 3 * 127 / 2^24 of a step at most.
        EXPECT_LE(std::abs(held - x[usize(p * 64 + k)]), 0.5001 * values.scale(0, p));
        EXPECT_EQ(values.number(0, p, k), keys.number(0, p, k));
        most = std::max(most, std::abs(values.number(0, p, k)));
      }
      EXPECT_EQ(most, 127);
    }
  }
}

TEST(KvWriteOp, DoesNotDependOnThreadsNorOnCuts) {
  std::mt19937 rng(4);
  for (const KvType type : kKvTypes)
    for (const std::int64_t tokens : {1, 5, 47}) {
      // 12 heads of 47 tokens are more than one worker is given alone.
      const Case c(type, 13, tokens, 12, 80, random_floats(rng, tokens * (12 * 80 + 4)));
      for (const int threads : {1, 2, 3, 7}) {
        ThreadPool pool(threads);
        EXPECT_TRUE(c.gives([&](const KvWriteArgs& args) { kv_write(args, pool); })) << threads;
        EXPECT_TRUE(c.gives([&](const KvWriteArgs& args) {
          for (std::int64_t t = 0; t < args.tokens; ++t) {
            KvWriteArgs one = args;
            one.k += t * args.k_stride;
            one.v += t * args.v_stride;
            one.first_position += t;
            one.tokens = 1;
            kv_write(one, pool);
          }
        })) << threads;
      }
    }
}

}  // namespace
}  // namespace bitnet::cpu
