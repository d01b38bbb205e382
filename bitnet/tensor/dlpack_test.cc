// SPDX-License-Identifier: MIT OR Apache-2.0
// Arrays handed over through DLPack: what a reader sees, who frees, and structs that lie.
#include "bitnet/tensor/dlpack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {
namespace {

using dlpack::Code;
using dlpack::Managed;
using dlpack::ManagedVersioned;

Tensor counting(DType type, const Shape& shape) {
  Tensor tensor = Tensor::allocate(type, shape);
  for (std::size_t i = 0; i < tensor.size_bytes(); ++i)
    tensor.mutable_data()[i] = static_cast<std::byte>(i + 1);
  return tensor;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.size_bytes() == b.size_bytes() &&
         std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// An array of another library: 2 x 3 floats 0 … 5 and a count of how often it was given back.
struct Foreign {
  std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<std::int64_t> shape{2, 3}, strides{3, 1};
  int deleted = 0;
  ManagedVersioned managed{};

  Foreign() {
    managed.version = {1, 0};
    managed.context = this;
    managed.deleter = [](ManagedVersioned* self) {
      ++static_cast<Foreign*>(self->context)->deleted;
    };
    managed.array = {values.data(), {dlpack::kCpu, 0}, 2, {2, 32, 1},
                     shape.data(),  strides.data(),    0};
  }
};

TEST(Dlpack, EveryTypeGoesOutAndComesBackWithoutACopy) {
  const std::pair<DType, dlpack::DataType> types[] = {
      {DType::f64, {2, 64, 1}},  {DType::f32, {2, 32, 1}}, {DType::f16, {2, 16, 1}},
      {DType::bf16, {4, 16, 1}}, {DType::i64, {0, 64, 1}}, {DType::i32, {0, 32, 1}},
      {DType::i8, {0, 8, 1}},    {DType::u16, {1, 16, 1}}, {DType::u8, {1, 8, 1}},
      {DType::i4, {0, 4, 1}},    {DType::i2, {0, 2, 1}}};
  for (const auto& [dtype, expected] : types)
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 4}, Shape{0, 4}, Shape{3, 0},
                               Shape{1, 2, 1, 2, 1, 2, 1, 4}}) {
      const Tensor tensor = counting(dtype, shape);
      ManagedVersioned* managed = to_dlpack(tensor);
      EXPECT_EQ(managed->version.major, 1u);
      EXPECT_EQ(managed->flags, 0u);
      EXPECT_EQ(managed->array.dtype.code, expected.code);
      EXPECT_EQ(managed->array.dtype.bits, expected.bits);
      EXPECT_EQ(managed->array.dtype.lanes, 1);
      EXPECT_EQ(managed->array.ndim, shape.rank());
      const Tensor back = from_dlpack(managed);
      EXPECT_EQ(back.data() == tensor.data(), tensor.size_bytes() > 0);
      EXPECT_EQ(back.dtype(), dtype);
      EXPECT_TRUE(same_bytes(back, tensor)) << info(dtype).name << to_string(shape);
      const Tensor old = from_dlpack(to_dlpack_before_1(tensor));
      EXPECT_TRUE(same_bytes(old, tensor));
    }
}

TEST(Dlpack, TheReaderKeepsTheBytes) {
  Tensor tensor = counting(DType::f32, {2, 3});
  const WeakTensor weak(tensor);
  ManagedVersioned* managed = to_dlpack(tensor);
  const std::byte* data = tensor.data();
  tensor = {};
  EXPECT_FALSE(weak.expired());
  EXPECT_EQ(managed->array.data, data);
  EXPECT_EQ(std::vector(managed->array.strides, managed->array.strides + 2),
            (std::vector<std::int64_t>{3, 1}));
  managed->deleter(managed);
  EXPECT_TRUE(weak.expired());
}

TEST(Dlpack, BorrowedTensorsAreReadOnly) {
  const Tensor own = counting(DType::f32, {2, 3});
  const Tensor borrowed =
      Tensor::borrow(DType::f32, {2, 3}, own.data(), std::make_shared<Tensor>(own));
  ManagedVersioned* managed = to_dlpack(borrowed);
  EXPECT_EQ(managed->flags, dlpack::kReadOnly);
  EXPECT_THROW(dlpack_mutable_view(*managed), Error);
  managed->deleter(managed);
  EXPECT_EQ(code_of([&] { to_dlpack_before_1(borrowed); }), Errc::unsupported);
}

TEST(Dlpack, AColumnMajorMatrixGoesOutWithStrides) {
  const Tensor matrix = counting(DType::u16, {3, 4});
  const Tensor turned = relayout(matrix, Layout::column_major());
  ManagedVersioned* managed = to_dlpack(turned);
  EXPECT_EQ(managed->array.shape[0], 3);
  EXPECT_EQ(managed->array.strides[0], 1);
  EXPECT_EQ(managed->array.strides[1], 3);
  EXPECT_EQ(dlpack_view(*managed).at<std::uint16_t>({2, 1}),
            matrix.view().at<std::uint16_t>({2, 1}));
  EXPECT_TRUE(same_bytes(from_dlpack(managed), matrix));
}

TEST(Dlpack, WhatDlpackCannotSayIsRefused) {
  for (const auto& [type, shape] : {std::pair{DType::i1, Shape{8}},
                                    {DType::ternary2, {128}},
                                    {DType::ternary1_6, {160}},
                                    {DType::q8_0, {32}},
                                    {DType::q4_0, {32}},
                                    {DType::q6_k, {256}},
                                    {DType::i4, {2, 3}}})
    EXPECT_EQ(code_of([&] { to_dlpack(counting(type, shape)); }), Errc::unsupported)
        << info(type).name;
  EXPECT_EQ(code_of([&] {
              to_dlpack(relayout(counting(DType::u8, {4, 4}), Layout::blocked(2, 2)));
            }),
            Errc::unsupported);
  EXPECT_EQ(code_of([&] { to_dlpack(Tensor()); }), Errc::invalid_argument);
  const Tensor hollow = Tensor::allocate(DType::u8, {0, std::int64_t{1} << 40, 1 << 30});
  EXPECT_EQ(code_of([&] { to_dlpack(hollow); }), Errc::invalid_argument);
}

TEST(Dlpack, RowMajorArraysAreSharedAndGivenBackOnce) {
  Foreign foreign;
  for (const bool with_strides : {true, false}) {
    foreign.deleted = 0;
    if (!with_strides) foreign.managed.array.strides = nullptr;
    Tensor tensor = from_dlpack(&foreign.managed);
    EXPECT_EQ(tensor.data(), reinterpret_cast<std::byte*>(foreign.values.data()));
    EXPECT_TRUE(tensor.borrowed());
    Tensor other = tensor;
    tensor = {};
    EXPECT_EQ(foreign.deleted, 0);
    EXPECT_EQ(other.as<float>()[5], 5.0f);
    other = {};
    EXPECT_EQ(foreign.deleted, 1);
  }
  foreign.managed.deleter = nullptr;
  from_dlpack(&foreign.managed);
}

TEST(Dlpack, StridedAndUnalignedArraysAreCopiedAndGivenBackAtOnce) {
  Foreign turned;
  turned.strides = {1, 2};
  const Tensor copy = from_dlpack(&turned.managed);
  EXPECT_EQ(turned.deleted, 1);
  EXPECT_EQ(std::vector<float>(copy.as<float>(), copy.as<float>() + 6),
            (std::vector<float>{0, 2, 4, 1, 3, 5}));
  Foreign backwards;
  backwards.strides = {-3, -1};
  backwards.managed.array.byte_offset = 5 * sizeof(float);
  EXPECT_EQ(dlpack_view(backwards.managed).at<float>({0, 0}), 5.0f);
  EXPECT_EQ(from_dlpack(&backwards.managed).as<float>()[5], 0.0f);
  Foreign unaligned;
  unaligned.managed.array.byte_offset = 1;
  EXPECT_EQ(code_of([&] { dlpack_view(unaligned.managed); }), Errc::unsupported);
  const Tensor shifted = from_dlpack(&unaligned.managed);
  EXPECT_FALSE(shifted.borrowed());
  EXPECT_EQ(std::memcmp(shifted.data(), reinterpret_cast<char*>(unaligned.values.data()) + 1, 24),
            0);
}

TEST(Dlpack, StridesThatAreNeverTakenMayBeAnything) {
  Foreign foreign;
  foreign.shape = {1, 3};
  foreign.strides = {INT64_MAX, 1};
  const Tensor tensor = from_dlpack(&foreign.managed);
  EXPECT_EQ(tensor.data(), reinterpret_cast<std::byte*>(foreign.values.data()));
}

TEST(Dlpack, WritableArraysCanBeWritten) {
  Foreign foreign;
  dlpack_mutable_view(foreign.managed).at<float>({1, 2}) = 42;
  EXPECT_EQ(foreign.values[5], 42.0f);
}

TEST(DlpackHostile, StructsThatLieAreRefusedAndNotTaken) {
  const auto code_with = [](const std::function<void(Foreign&)>& bend) {
    Foreign foreign;
    bend(foreign);
    const auto code = code_of([&] { from_dlpack(&foreign.managed); });
    EXPECT_EQ(code_of([&] { dlpack_view(foreign.managed); }), code);
    EXPECT_EQ(foreign.deleted, 0);
    return code;
  };
  const auto invalid = Errc::invalid_argument, unsupported = Errc::unsupported;
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.version.major = 2; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.device.type = 2; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.dtype.lanes = 4; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.dtype.lanes = 0; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.dtype = {6, 8, 1}; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.dtype = {0, 16, 1}; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.dtype = {0, 1, 1}; }), unsupported);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.ndim = 9; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.ndim = -1; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.shape = nullptr; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.data = nullptr; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.managed.array.byte_offset = ~0ull; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.shape = {2, -3}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.shape = {INT64_MAX, 2}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.shape = {INT64_MAX / 2, 1}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.shape = {0, INT64_MAX}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.strides = {INT64_MAX, 1}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.strides = {INT64_MIN, 1}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.strides = {INT64_MAX / 4, INT64_MAX / 8}; }), invalid);
  EXPECT_EQ(code_with([](Foreign& f) { f.strides = {INT64_MAX / 4, -(INT64_MAX / 8)}; }), invalid);
  EXPECT_EQ(code_of([] { from_dlpack(static_cast<Managed*>(nullptr)); }), invalid);
}

TEST(DlpackHostile, SubByteIntegersHaveToBePackedRows) {
  const auto read = [](const std::function<void(Foreign&)>& bend) {
    Foreign foreign;
    foreign.managed.array.dtype = {0, 4, 1};
    foreign.shape = {2, 4};
    foreign.strides = {4, 1};
    bend(foreign);
    const Tensor tensor = from_dlpack(&foreign.managed);
    EXPECT_EQ(tensor.dtype(), DType::i4);
    return tensor.size_bytes();
  };
  EXPECT_EQ(read([](Foreign&) {}), 4u);
  EXPECT_EQ(read([](Foreign& f) { f.shape = {1, 3}; }), 2u);
  const auto refused = [&](const std::function<void(Foreign&)>& bend) {
    EXPECT_EQ(code_of([&] { read(bend); }), Errc::unsupported);
  };
  refused([](Foreign& f) { f.managed.flags = dlpack::kSubbytePadded; });
  refused([](Foreign& f) { f.strides = {1, 2}; });
  EXPECT_EQ(code_of([&] { read([](Foreign& f) { f.shape = {0, INT64_MAX - 1}; }); }), std::nullopt);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{0, INT64_MAX - 1, 4}, {0, 3, std::int64_t{1} << 62}})
    EXPECT_EQ(code_of([&] {
                read([&](Foreign& f) {
                  f.shape = shape;
                  f.managed.array.shape = f.shape.data();
                  f.managed.array.ndim = 3;
                  f.managed.array.strides = nullptr;
                });
              }),
              Errc::invalid_argument);
  refused([](Foreign& f) { f.shape = {2, 3}, f.strides = {3, 1}; });
}

// An empty array may have no data.
TEST(Dlpack, EmptyArraysAreTensors) {
  Foreign foreign;
  foreign.shape = {0, 3};
  foreign.managed.array.data = nullptr;
  const Tensor tensor = from_dlpack(&foreign.managed);
  EXPECT_TRUE(tensor.defined());
  EXPECT_EQ(tensor.shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace bitnet
