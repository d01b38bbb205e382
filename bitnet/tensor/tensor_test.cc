// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstring>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

TEST(Tensor, SizesOfEveryTypeFollowItsBlocks) {
  EXPECT_EQ(Tensor::byte_size(DType::f32, {3, 5}), 60u);
  EXPECT_EQ(Tensor::byte_size(DType::bf16, {7}), 14u);
  EXPECT_EQ(Tensor::byte_size(DType::f32, {}), 4u);
  EXPECT_EQ(Tensor::byte_size(DType::ternary2, {4, 2560}), 4u * 640);
  EXPECT_EQ(Tensor::byte_size(DType::ternary2, {4, 129}), 4u * 64);  // rows are padded to 128
  EXPECT_EQ(Tensor::byte_size(DType::q6_k, {2, 512}), 2u * 2 * 210);
  EXPECT_THROW(Tensor::byte_size(DType::q8_0, {2, 33}), Error);
}

TEST(Tensor, SizesThatWrapAreRefused) {
  const std::int64_t huge = INT64_MAX;
  EXPECT_THROW(Tensor::byte_size(DType::f32, {huge, 2}), Error);
  EXPECT_THROW(Tensor::byte_size(DType::f32, {huge / 2}), Error);
  EXPECT_THROW(Shape({-1}), Error);
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
}

TEST(Tensor, CopiesShareAndLastOneGivesMemoryBack) {
  HybridMemoryPool pool;
  {
    Tensor a = Tensor::allocate(DType::f32, {4, 4}, pool);
    Tensor b = a;
    a.as_mutable<float>()[3] = 7.0f;
    EXPECT_EQ(b.as<float>()[3], 7.0f);
    Tensor c = b.clone(pool);
    a.as_mutable<float>()[3] = 8.0f;
    EXPECT_EQ(c.as<float>()[3], 7.0f);
    a = Tensor();
    EXPECT_EQ(b.as<float>()[3], 8.0f);
    EXPECT_EQ(pool.metrics().live_blocks, 2u);
  }
  EXPECT_EQ(pool.metrics().live_blocks, 0u);
}

TEST(Tensor, SomeOfItsRowsAreInTheSameMemory) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::q8_0}) {
    Tensor whole = Tensor::allocate(dtype, {2, 5, 64});
    Tensor part = whole.rows_from(3, 4);
    EXPECT_EQ(part.shape(), (Shape{4, 64}));
    EXPECT_EQ(part.data(), whole.data() + 3 * whole.row_stride_bytes());
    EXPECT_EQ(part.size_bytes(), static_cast<std::size_t>(4 * whole.row_stride_bytes()));
    EXPECT_EQ(part.mutable_data(), part.data());
    const Tensor of_part = part.rows_from(1, 2);
    part = {};
    whole = {};
    EXPECT_EQ(of_part.rows(), 2) << "it keeps the memory";
    EXPECT_EQ(of_part.rows_from(2, 0).size_bytes(), 0u);
    for (const auto& [first, count] : {std::pair{-1, 1}, {0, 3}, {2, 1}, {0, -1}})
      EXPECT_THROW(of_part.rows_from(first, count), Error) << first << " " << count;
  }
  const std::byte bytes[8] = {};
  Tensor borrowed = Tensor::borrow(DType::i8, {2, 4}, bytes, nullptr).rows_from(1, 1);
  EXPECT_EQ(borrowed.data(), bytes + 4);
  EXPECT_THROW(borrowed.mutable_data(), Error);
}

TEST(Tensor, BorrowedBytesAreReadOnlyAndKept) {
  auto keeper = std::make_shared<std::vector<float>>(8, 2.0f);
  Tensor t = Tensor::borrow(DType::f32, {2, 4}, reinterpret_cast<const std::byte*>(keeper->data()),
                            keeper);
  const std::weak_ptr<std::vector<float>> watch = keeper;
  keeper.reset();
  EXPECT_EQ(t.as<float>()[7], 2.0f);
  EXPECT_THROW(t.mutable_data(), Error);
  EXPECT_THROW(t.as<double>(), Error);
  t = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, EmptyHasNoRows) {
  const Tensor t = Tensor::allocate(DType::f32, {5, 0});
  EXPECT_EQ(t.rows(), 0);
  EXPECT_EQ(t.size_bytes(), 0u);
}

TEST(DType, NamesRoundTrip) {
  for (const char* name : {"f32", "f16", "bf16", "i8", "u8", "ternary2", "q8_0", "q4_0", "q6_k"}) {
    const auto type = dtype_from_name(name);
    ASSERT_TRUE(type) << name;
    EXPECT_EQ(info(*type).name, name);
  }
  EXPECT_FALSE(dtype_from_name("f8"));
}

}  // namespace
}  // namespace bitnet
