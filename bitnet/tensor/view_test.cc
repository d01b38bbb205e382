// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/view.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <numeric>
#include <random>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {
namespace {

// Elements 0, 1, 2, … in row-major order.
Tensor counted(const Shape& shape) {
  Tensor t = Tensor::allocate(DType::i32, shape);
  std::iota(t.as_mutable<std::int32_t>(), t.as_mutable<std::int32_t>() + shape.num_elements(), 0);
  return t;
}

// Index of element `flat` of a row-major array.
std::vector<std::int64_t> index_of(const Shape& shape, std::int64_t flat) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int i = shape.rank(); i-- > 0; flat /= shape[i]) index[std::size_t(i)] = flat % shape[i];
  return index;
}

// What a view shows, element by element, through its strides.
std::vector<std::int32_t> shown(const TensorView& view) {
  std::vector<std::int32_t> values;
  for (std::int64_t flat = 0; flat < view.num_elements(); ++flat) {
    const std::byte* at = view.data();
    const auto index = index_of(view.shape(), flat);
    for (int i = 0; i < view.rank(); ++i) at += index[std::size_t(i)] * view.stride(i);
    values.push_back(*reinterpret_cast<const std::int32_t*>(at));
  }
  return values;
}

// The same by definition: an array of values in row-major order and its shape.
struct Model {
  Shape shape;
  std::vector<std::int32_t> values;

  // Element `index` of the new array is element source(index) of this one.
  template <class Source>
  Model gathered(const Shape& to, const Source& source) const {
    Model m{to, {}};
    for (std::int64_t flat = 0; flat < to.num_elements(); ++flat) {
      const auto from = source(index_of(to, flat));
      std::int64_t at = 0;
      for (int i = 0; i < shape.rank(); ++i) at = at * shape[i] + from[std::size_t(i)];
      m.values.push_back(values[std::size_t(at)]);
    }
    return m;
  }
};

using Index = std::vector<std::int64_t>;

TEST(TensorView, RandomChainsOfOperationsShowWhatTheirDefinitionSays) {
  std::mt19937 rng(1);
  const auto below = [&](std::int64_t n) { return std::int64_t(rng() % std::uint64_t(n)); };
  int reshaped = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::int64_t> dims;
    for (std::int64_t i = below(4); i >= 0; --i) dims.push_back(1 + below(5));
    const Tensor tensor = counted(Shape(dims));
    TensorView view = tensor;
    Model model{view.shape(), shown(view)};
    for (int step = 0; step < 5; ++step) {
      const int rank = view.rank();
      const int axis = rank == 0 ? 0 : int(below(rank));
      switch (below(8)) {
        case 0: {  // slice
          if (rank == 0) break;
          const std::int64_t begin = below(view.dim(axis)), stride = 1 + below(3);
          const std::int64_t end = begin + below(view.dim(axis) - begin + 1);
          const Shape to = model.shape.with(axis, (end - begin + stride - 1) / stride);
          if (to.num_elements() == 0) break;
          view = view.slice(axis, {begin, end, stride});
          model = model.gathered(to, [&](Index i) {
            i[std::size_t(axis)] = begin + i[std::size_t(axis)] * stride;
            return i;
          });
          break;
        }
        case 1: {  // flip, of a negative axis
          if (rank == 0) break;
          const std::int64_t dim = view.dim(axis);
          view = view.flip(axis - rank);
          model = model.gathered(model.shape, [&](Index i) {
            i[std::size_t(axis)] = dim - 1 - i[std::size_t(axis)];
            return i;
          });
          break;
        }
        case 2: {  // transpose
          if (rank == 0) break;
          const int other = int(below(rank));
          const Shape to = model.shape.with(axis, view.dim(other)).with(other, view.dim(axis));
          view = view.transpose(axis, other);
          model = model.gathered(to, [&](Index i) {
            std::swap(i[std::size_t(axis)], i[std::size_t(other)]);
            return i;
          });
          break;
        }
        case 3: {  // select
          if (rank == 0) break;
          const std::int64_t at = below(view.dim(axis));
          view = view.select(axis, at);
          Index left(model.shape.dims().begin(), model.shape.dims().end());
          left.erase(left.begin() + axis);
          model = model.gathered(Shape(left), [&](Index i) {
            i.insert(i.begin() + axis, at);
            return i;
          });
          break;
        }
        case 4:  // a new axis, repeated
          if (rank < 5) {
            view = view.expand_dims(axis);
            Index to(model.shape.dims().begin(), model.shape.dims().end());
            to.insert(to.begin() + axis, 2);
            view = view.broadcast_to(Shape(to));
            model = model.gathered(Shape(to), [&](Index i) {
              i.erase(i.begin() + axis);
              return i;
            });
          }
          break;
        default: {  // reshape to random factors; where it is refused a copy is made
          Index to;
          for (std::int64_t left = view.num_elements(); left > 1 && to.size() < 5;) {
            std::int64_t factor = 1 + below(left);
            while (left % factor != 0) ++factor;
            to.push_back(factor);
            left /= factor;
            if (to.size() == 5) to.back() *= left;
          }
          const auto view2 = view.try_reshape(to);
          if (view2) {
            ++reshaped;
            view = *view2;
            model.shape = Shape(to);
          } else {
            ++refused;
            EXPECT_FALSE(view.is_contiguous());
          }
        }
      }
      ASSERT_EQ(view.shape(), model.shape);
      ASSERT_EQ(shown(view), model.values) << round;
    }
    const Tensor copy = contiguous(view);
    ASSERT_EQ(shown(copy), model.values);
    ASSERT_TRUE(copy.view().is_contiguous());
  }
  EXPECT_GT(reshaped, 1000);
  EXPECT_GT(refused, 100);
}

// Refusing is right only where no strides would do: tried for all strides that could.
TEST(TensorView, ReshapeIsRefusedOnlyWhereNoStridesShowTheElements) {
  std::mt19937 rng(2);
  const Tensor tensor = counted({2, 3, 4});
  const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders)
    for (const Index& to :
         {Index{6, 4}, {2, 12}, {24}, {4, 6}, {8, 3}, {2, 2, 2, 3}, {3, 8}, {12, 2}}) {
      const TensorView view = tensor.view().permute({order, 3});
      const std::vector<std::int32_t> values = shown(view);
      // Element i of a strided array is a sum of index times stride: strides follow from the
      // elements one step along each axis, and then all others are given.
      const Shape shape{std::span<const std::int64_t>(to)};
      bool possible = true;
      Index steps(to.size());
      for (std::size_t a = 0; a < to.size(); ++a) {
        std::int64_t below = 1;
        for (std::size_t b = a + 1; b < to.size(); ++b) below *= to[b];
        steps[a] = values[std::size_t(below)] - values[0];
      }
      for (std::int64_t flat = 0; flat < 24; ++flat) {
        const Index index = index_of(shape, flat);
        std::int64_t expected = values[0];
        for (std::size_t a = 0; a < to.size(); ++a) expected += index[a] * steps[a];
        possible = possible && expected == values[std::size_t(flat)];
      }
      EXPECT_EQ(view.try_reshape(to).has_value(), possible);
    }
}

TEST(TensorView, WhatDoesNotFitIsRefused) {
  const Tensor tensor = counted({2, 3});
  const TensorView v = tensor;
  const auto code = [](const auto& call) { return code_of(call); };
  EXPECT_EQ(code([&] { v.slice(2, {}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.slice(-3, {}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.slice(1, {0, 4}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.slice(1, {-4, {}}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.slice(1, {0, 3, 0}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.slice(1, {3, 0, -1}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.slice(1, {0, 3, INT64_MIN}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.select(0, 2); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.permute({0}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.permute({0, 0}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.expand_dims(4); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.squeeze(0); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.broadcast_to({3, 3}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.broadcast_to({3}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.reshape({7}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.reshape({-1, 4}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.reshape({-1, -1}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.transpose(0, 1).reshape({6}); }), Errc::unsupported);
  EXPECT_EQ(code([&] { v.at<std::int32_t>({0, 3}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.at<std::int32_t>({0}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { v.at<double>({0, 0}); }), Errc::invalid_argument);
  EXPECT_EQ(code([&] { broadcast_shapes("add", {2, 3}, {4}); }), Errc::invalid_argument);
}

TEST(TensorView, ReadsAndWritesThroughToTheTensor) {
  Tensor tensor = counted({3, 4});
  const MutableTensorView v = tensor.mutable_view().flip(0).transpose(0, 1);
  EXPECT_EQ(v.at<std::int32_t>({1, 0}), 9);
  v.at<std::int32_t>({1, 0}) = -1;
  EXPECT_EQ(tensor.as<std::int32_t>()[9], -1);
  const TensorView read = v;
  EXPECT_EQ(read.at<std::int32_t>({1, 0}), -1);
}

TEST(TensorView, ScalarsAndEmptyOnes) {
  const Tensor scalar = counted({});
  EXPECT_EQ(shown(scalar), std::vector<std::int32_t>{0});
  EXPECT_EQ(scalar.view().reshape({1, 1}).shape(), (Shape{1, 1}));
  EXPECT_EQ(shown(scalar.view().broadcast_to({2, 2})), std::vector<std::int32_t>(4));
  const Tensor empty = Tensor::allocate(DType::f32, {3, 0, 2});
  EXPECT_TRUE(empty.view().is_contiguous());
  EXPECT_EQ(empty.view().transpose(0, 2).reshape({0, 5}).shape(), (Shape{0, 5}));
  EXPECT_EQ(empty.view().slice(1, {0, 0}).num_elements(), 0);
  EXPECT_EQ(empty.view().flip(1).num_elements(), 0);
  EXPECT_EQ(contiguous(empty.view().transpose(0, 1)).shape(), (Shape{0, 3, 2}));
}

TEST(TensorView, PackedRowsStayWhole) {
  Tensor tensor = Tensor::allocate(DType::i4, {4, 10});
  for (std::size_t i = 0; i < tensor.size_bytes(); ++i)
    tensor.mutable_data()[i] = static_cast<std::byte>(i);
  const TensorView v = tensor;
  const Tensor rows = contiguous(v.flip(0).slice(0, {0, 4, 2}));
  EXPECT_EQ(rows.shape(), (Shape{2, 10}));
  EXPECT_EQ(rows.data()[0], std::byte{15});
  EXPECT_EQ(rows.data()[9], std::byte{9});
  EXPECT_EQ(v.slice(1, {4, 10}).data(), tensor.data() + 2);
  EXPECT_EQ(v.reshape({2, 2, 10}).select(0, 1).data(), tensor.data() + 10);
  EXPECT_EQ(code_of([&] { v.slice(1, {1, 10}); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { v.slice(1, {0, 3}); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { v.flip(1); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { v.transpose(0, 1); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { v.select(1, 0); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { v.reshape({40}); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { v.at<std::uint8_t>({0, 0}); }), Errc::unsupported);
}

// 2^32 bytes and 2^33 elements over memory that is reserved, not there.
TEST(TensorView, MoreThanTwoToThe31Elements) {
  const std::int64_t rows = 1 << 17, cols = 1 << 15;
  const std::size_t bytes = std::size_t(rows * cols);
  void* reserved = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) GTEST_SKIP() << "4 GiB of addresses are not to be had";
  const MutableTensorView v(DType::u8, {rows, cols}, static_cast<std::byte*>(reserved));
  v.at<std::uint8_t>({rows - 1, cols - 1}) = 7;
  EXPECT_EQ(static_cast<std::uint8_t*>(reserved)[bytes - 1], 7);
  EXPECT_EQ(v.reshape({-1}).flip(0).at<std::uint8_t>({0}), 7);
  const auto corner = v.slice(0, {rows - 2, rows}).slice(1, {cols - 2, cols}).transpose(0, 1);
  EXPECT_EQ(contiguous(corner).as<std::uint8_t>()[3], 7);
  EXPECT_EQ(v.expand_dims(0).broadcast_to({1 << 20, rows, cols}).num_elements(),
            std::int64_t{1} << 52);
  munmap(reserved, bytes);
}

}  // namespace
}  // namespace bitnet
