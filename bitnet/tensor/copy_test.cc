// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "bitnet/base/error_testing.h"

namespace bitnet {
namespace {

Tensor random_bytes(DType dtype, const Shape& shape, unsigned seed) {
  std::mt19937 rng(seed);
  Tensor t = Tensor::allocate(dtype, shape);
  for (std::size_t i = 0; i < t.size_bytes(); ++i)
    t.mutable_data()[i] = static_cast<std::byte>(rng());
  return t;
}

TEST(Relayout, PutsEachElementWhereTheLayoutSaysAndZerosElsewhere) {
  const Layout layouts[] = {Layout::row_major(),          Layout::column_major(),
                            Layout::blocked(3, 4),        Layout::blocked(1, 5),
                            Layout::packed_tile(4, 8, 4), Layout::packed_tile(2, 6, 2)};
  for (const DType dtype : {DType::i8, DType::bf16, DType::f32, DType::f64})
    for (const Layout& layout : layouts)
      for (const Shape& shape : {Shape{7, 13}, Shape{1, 1}, Shape{8, 16}, Shape{0, 4}}) {
        const Tensor m = random_bytes(dtype, shape, 3);
        const Tensor stored = relayout(m, layout);
        const auto size = static_cast<std::size_t>(info(dtype).block_bytes);
        EXPECT_EQ(stored.shape(), stored_shape(layout, shape)) << to_string(layout);
        std::size_t zeros = 0;
        for (std::size_t i = 0; i < stored.size_bytes(); ++i)
          zeros += stored.data()[i] == std::byte{0};
        std::size_t original_zeros = stored.size_bytes() - m.size_bytes();
        for (std::size_t i = 0; i < m.size_bytes(); ++i)
          original_zeros += m.data()[i] == std::byte{0};
        EXPECT_EQ(zeros, original_zeros);
        for (std::int64_t r = 0; r < shape[0]; ++r)
          for (std::int64_t c = 0; c < shape[1]; ++c) {
            const auto at = static_cast<std::size_t>(element_offset(layout, shape, r, c));
            const auto from = static_cast<std::size_t>(r * shape[1] + c);
            ASSERT_EQ(std::memcmp(stored.data() + at * size, m.data() + from * size, size), 0);
          }
        const Tensor back = to_row_major(stored);
        EXPECT_EQ(back.shape(), shape);
        EXPECT_EQ(std::memcmp(back.data(), m.data(), m.size_bytes()), 0) << to_string(layout);
      }
}

TEST(Relayout, OfAViewIsThatOfItsElements) {
  const Tensor m = random_bytes(DType::i8, {9, 10}, 4);
  const TensorView v = m.view().transpose(0, 1).slice(0, {1, 10, 2});
  const Tensor a = relayout(v, Layout::blocked(2, 3)),
               b = relayout(contiguous(v), Layout::blocked(2, 3));
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size_bytes()), 0);
}

TEST(Relayout, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(code_of([] { Layout::blocked(0, 1); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([] { Layout::packed_tile(1, 6, 4); }), Errc::invalid_argument);
  const Tensor cube = random_bytes(DType::i8, {2, 2, 2}, 5);
  EXPECT_EQ(code_of([&] { relayout(cube, Layout::column_major()); }), Errc::invalid_argument);
  const Tensor packed = random_bytes(DType::i4, {2, 2}, 5);
  EXPECT_EQ(code_of([&] { relayout(packed, Layout::column_major()); }), Errc::unsupported);
  Tensor m = random_bytes(DType::i8, {4, 4}, 5);
  EXPECT_EQ(code_of([&] { m.set_layout(Layout::blocked(2, 2), {4, 4}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] {
              element_offset(Layout::row_major(), {4, 4}, 4, 0);
            }),
            Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { copy(m, m.mutable_view().slice(0, {0, 2})); }), Errc::invalid_argument);
}

TEST(TensorNotes, BelongToTheTensorThatHasThem) {
  Tensor a = random_bytes(DType::i8, {4, 8}, 6);
  const Tensor before = a;
  a.set_name("blocks.0.wq");
  a.set_quantization({ScaleGranularity::group, 4, std::vector<float>(8, 0.5f)});
  const Tensor after = a;
  EXPECT_EQ(before.name(), "");
  EXPECT_FALSE(before.quantization());
  EXPECT_EQ(after.metadata().name, "blocks.0.wq");
  EXPECT_EQ(after.metadata().quantization->scales.size(), 8u);
  EXPECT_EQ(after.metadata().strides[0], 8);
  EXPECT_EQ(a.clone().name(), "blocks.0.wq");
  EXPECT_EQ(a.rows_from(0, 2).name(), "");
  for (const Quantization& bad : {Quantization{ScaleGranularity::row, 0, {1.0f}},
                                  {ScaleGranularity::group, 0, {1.0f}},
                                  {ScaleGranularity::tensor, 0, {}},
                                  {ScaleGranularity::tensor, 0, {1.0f}, {1, 2}}})
    EXPECT_EQ(code_of([&] { a.set_quantization(bad); }), Errc::invalid_argument);
  EXPECT_EQ(a.quantization()->group_cols, 4);
}

TEST(WeakTensor, DoesNotKeepTheMemory) {
  HybridMemoryPool pool;
  Tensor a = Tensor::allocate(DType::f32, {4}, pool);
  EXPECT_EQ(a.use_count(), 1);
  const WeakTensor weak = a;
  EXPECT_EQ(a.use_count(), 1);
  Tensor again = weak.lock();
  EXPECT_EQ(again.data(), a.data());
  EXPECT_EQ(a.use_count(), 2);
  a = {};
  EXPECT_FALSE(weak.expired());
  again = {};
  EXPECT_TRUE(weak.expired());
  EXPECT_FALSE(weak.lock().defined());
  EXPECT_EQ(pool.metrics().live_blocks, 0u);
}

TEST(TensorHandle, IsCountedFromManyThreads) {
  HybridMemoryPool pool;
  {
    const Tensor shared = Tensor::allocate(DType::f32, {64}, pool);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 10000; ++i) {
          const Tensor mine = shared;
          ASSERT_EQ(WeakTensor(mine).lock().data(), shared.data());
        }
      });
    for (auto& t : threads) t.join();
    EXPECT_EQ(shared.use_count(), 1);
  }
  EXPECT_EQ(pool.metrics().live_blocks, 0u);
}

}  // namespace
}  // namespace bitnet
