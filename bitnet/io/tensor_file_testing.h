// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests: tensors of every type, shape, layout and quantization, and what makes two alike.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

#include "bitnet/io/tensor_file.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::testing {

inline std::string_view text_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()), tensor.size_bytes()};
}

inline Tensor random_tensor(DType type, const Shape& shape, std::string name, std::uint32_t seed) {
  Tensor tensor = Tensor::allocate(type, shape);
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < tensor.size_bytes(); ++i)
    tensor.mutable_data()[i] = static_cast<std::byte>(random());
  tensor.set_name(std::move(name));
  return tensor;
}

inline std::vector<DType> all_types() {
  std::vector<DType> types;
  for (int i = 0; i <= static_cast<int>(DType::ternary1_6); ++i)
    types.push_back(static_cast<DType>(i));
  return types;
}

/// Every type, ranks 0 to 8, empty tensors, each layout, each quantization.
inline std::vector<Tensor> all_kinds() {
  std::vector<Tensor> tensors;
  for (const DType type : all_types()) {
    const std::int64_t cols = info(type).block_elements;
    const std::string name(info(type).name);
    for (const Shape& shape : {Shape{2, 3 * cols}, Shape{cols}, Shape{0, cols}, Shape{3, 0},
                               Shape{1, 2, 1, 2, 1, 2, 1, 2 * cols}})
      tensors.push_back(random_tensor(type, shape, name + to_string(shape), 1));
    if (info(type).pads_rows || cols == 1)
      tensors.push_back(random_tensor(type, {}, name + " scalar", 2));
    if (info(type).pads_rows)
      tensors.push_back(random_tensor(type, {3, cols + 1}, name + " padded", 3));
  }
  const Tensor matrix = random_tensor(DType::f32, {5, 7}, "", 4);
  for (const Layout& layout :
       {Layout::column_major(), Layout::blocked(2, 4), Layout::packed_tile(4, 8, 4)}) {
    tensors.push_back(relayout(matrix, layout));
    tensors.back().set_name("\xc3\xa9 " + to_string(layout));
  }
  const auto quantized = [&](const char* name, Quantization q) {
    tensors.push_back(random_tensor(DType::i8, {3, 10}, name, 5));
    tensors.back().set_quantization(std::move(q));
  };
  using enum ScaleGranularity;
  quantized("by tensor", {tensor, 0, {0.5f}});
  quantized("by row", {row, 0, {1, -2, 3e-40f}, {1, -2, INT32_MIN}});
  quantized("by group", {group, 4, std::vector<float>(9, 2.5f), std::vector<std::int32_t>(9, 7)});
  tensors.push_back(random_tensor(DType::u8, {65'536}, "of pages", 6));
  tensors.push_back(random_tensor(DType::ternary2, {300, 1000}, "many pages", 7));
  return tensors;
}

inline void expect_same(const Tensor& seen, const Tensor& wanted) {
  EXPECT_EQ(seen.name(), wanted.name());
  EXPECT_EQ(seen.dtype(), wanted.dtype()) << wanted.name();
  EXPECT_EQ(seen.shape(), wanted.shape()) << wanted.name();
  EXPECT_EQ(seen.layout(), wanted.layout()) << wanted.name();
  EXPECT_EQ(seen.logical_shape(), wanted.logical_shape()) << wanted.name();
  EXPECT_EQ(seen.quantization(), wanted.quantization()) << wanted.name();
  EXPECT_EQ(text_of(seen), text_of(wanted)) << wanted.name();
}

}  // namespace bitnet::testing
