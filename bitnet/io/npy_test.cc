// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/npy.h"

#include <gtest/gtest.h>

#include "bitnet/io/allocation_meter.h"
#include "bitnet/io/test_bytes.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {
namespace {

using testing::Bytes;

std::string npy(std::string_view header, std::size_t data_bytes, int major = 1) {
  Bytes out;
  out.raw(std::string_view("\x93NUMPY", 6))
      .number(static_cast<std::uint8_t>(major))
      .raw(std::string(1, '\0'));
  if (major == 1)
    out.number(static_cast<std::uint16_t>(header.size()));
  else
    out.u32(header.size());
  return out.raw(header).raw(std::string(data_bytes, '\2')).str();
}

std::string dict(std::string_view descr, std::string_view shape, std::string_view order = "False") {
  return "{'descr': '" + std::string(descr) + "', 'fortran_order': " + std::string(order) +
         ", 'shape': " + std::string(shape) + ", }\n";
}

// Elements 0, 1, 2, … of `type`, as many as `shape` has, in row-major order.
Tensor counting(DType type, const Shape& shape) {
  Tensor tensor = Tensor::allocate(type, shape);
  const auto width = static_cast<std::size_t>(info(type).block_bytes);
  for (std::size_t at = 0; at < tensor.size_bytes(); ++at)
    tensor.mutable_data()[at] = static_cast<std::byte>(at / width * 7 + at % width);
  return tensor;
}

std::string_view text_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()), tensor.size_bytes()};
}

TEST(Npy, EveryTypeRoundTripsFromAnyStrides) {
  const testing::TemporaryFolder folder;
  for (const DType type : {DType::u8, DType::i8, DType::u16, DType::i32, DType::i64, DType::f16,
                           DType::f32, DType::f64, DType::bf16})
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{2, 1, 3, 2}}) {
      const Tensor tensor = counting(type, shape);
      write_npy(folder / "a", tensor);
      const NpyFile file(folder / "a");
      EXPECT_EQ(file.dtype(), type);
      EXPECT_EQ(file.shape(), shape);
      EXPECT_EQ(file.header().data_offset % 64, 0u);
      EXPECT_EQ(text_of(file.read()), text_of(tensor));
      if (shape.rank() == 0) continue;
      write_npy(folder / "b", tensor.view().flip(0).transpose(0, -1));
      EXPECT_EQ(text_of(NpyFile(folder / "b").read()),
                text_of(contiguous(tensor.view().flip(0).transpose(0, -1))));
    }
  EXPECT_THROW(write_npy(folder / "x", counting(DType::q8_0, {1, 32})), Error);
  EXPECT_FALSE(os::is_regular_file(folder / "x"));
}

TEST(Npy, ValuesAreThoseOfTheType) {
  const testing::TemporaryFolder folder;
  const std::vector<float> values{1.5f, -2, 3, 4, 5, 6};
  write_npy(folder / "f", {DType::f32, {2, 3}, std::as_bytes(std::span(values)).data()});
  EXPECT_EQ(NpyFile(folder / "f").values<float>(), values);
  EXPECT_THROW(NpyFile(folder / "f").values<double>(), Error);
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const std::pair<const char*, DType> types[] = {
      {"|u1", DType::u8},  {"|i1", DType::i8},  {"<u2", DType::u16},
      {"<i4", DType::i32}, {"<i8", DType::i64}, {"<f2", DType::f16},
      {"<f4", DType::f32}, {"<f8", DType::f64}, {"<V2", DType::bf16}};
  for (const auto& [descr, dtype] : types)
    for (const int major : {1, 2, 3}) {
      const std::string text =
          npy(dict(descr, "(3,)"), static_cast<std::size_t>(3 * info(dtype).block_bytes), major);
      EXPECT_EQ(NpyFile(testing::as_bytes(text), "t").dtype(), dtype);
    }
  const std::string scalar = npy(dict("<f8", "()"), 8), none = npy(dict("<f8", "(0, 5)"), 0);
  EXPECT_EQ(NpyFile(testing::as_bytes(scalar), "t").num_elements(), 1);
  EXPECT_EQ(NpyFile(testing::as_bytes(none), "t").num_elements(), 0);
}

TEST(Npy, BigEndianAndFortranOrderBecomeOurs) {
  // [[1, 2, 3], [4, 5, 6]], columns first, high bytes first.
  const std::string data("\0\1\0\4\0\2\0\5\0\3\0\6", 12);
  const std::string text = npy(dict(">u2", "(2, 3)", "True"), 0) + data;
  const NpyFile file(testing::as_bytes(text), "t");
  EXPECT_EQ(file.shape(), (Shape{2, 3}));
  EXPECT_EQ(file.values<std::uint16_t>(), (std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6}));
  // Three axes: element (i, j, k) lies at i + 2 j + 6 k.
  const std::string cube =
      npy(dict("|u1", "(2, 3, 2)", "True"), 0) + std::string("\0\1\2\3\4\5\6\7\x8\x9\xa\xb", 12);
  EXPECT_EQ(NpyFile(testing::as_bytes(cube), "t").values<std::uint8_t>(),
            (std::vector<std::uint8_t>{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}));
}

TEST(NpyHostile, EachRuleNamesItself) {
  const std::pair<std::string, const char*> cases[] = {
      {"PK\3\4" + std::string(20, '\0'), "E_MAGIC"},
      {npy(dict("<f4", "(1,)"), 4, 4), "E_VERSION"},
      {std::string("\x93NUMPY\1\0\xff", 9), "E_TRUNCATED"},
      {std::string("\x93NUMPY\1\0\xff\xff{", 11), "E_TRUNCATED"},
      {npy(dict(">V2", "(1,)"), 2), "E_DTYPE"},
      {npy(dict("|V2", "(1,)"), 2), "E_DTYPE"},
      {npy(dict("|f4", "(1,)"), 4), "E_DTYPE"},
      {npy(dict("", "(1,)"), 4), "E_DTYPE"},
      {npy(dict("|O", "(1,)"), 8), "E_DTYPE"},
      {npy(dict("<f4", "(1,)", "Maybe"), 4), "E_HEADER"},
      {npy(dict("<f4", "(1,)") + "x", 4), "E_HEADER"},
      {npy(dict("<f4", "(1,)") + std::string(70'000, ' '), 4, 2), "E_HEADER"},
      {npy(dict("<f4", "(0, 4611686018427387904)"), 0), "E_SHAPE"},
      {npy(dict("<f4", "(-1,)"), 4), "E_HEADER"},
      {npy(dict("<f4", "(99999999999999999999,)"), 4), "E_HEADER"},
      {npy(dict("<f4", "(4294967296, 4294967296)"), 4), "E_SHAPE"},
      {npy(dict("<f8", "(4611686018427387904,)"), 8), "E_SHAPE"},
      {npy(dict("<f8", "(1152921504606846975,)"), 8), "E_TRUNCATED"},
      {npy(dict("<f4", "(1,1,1,1,1,1,1,1,1)"), 4), "E_NDIMS"},
      {npy(dict("<f4", "(2,)"), 4), "E_TRUNCATED"},
      {npy(dict("<f4", "(2,)"), 9), "E_SHAPE"},
      {npy("{'descr': '<f4', 'shape': (1,), }", 4), "E_HEADER"},
      {npy("{'descr': '<f4', 'descr': '<f4', }", 4), "E_HEADER"},
      {npy("{", 0), "E_HEADER"},
  };
  for (const auto& [text, kind] : cases) {
    const AllocationMeter meter;
    EXPECT_EQ(testing::fault_of<NpyFile>(text).kind, kind) << printable(text, 200);
    EXPECT_LT(meter.peak_bytes(), 16 * text.size() + 16'384);
  }
}

TEST(NpyHostile, PrefixesAndByteFlips) {
  const std::string text = npy(dict("<i4", "(2, 2)"), 16);
  ASSERT_EQ(testing::fault_of<NpyFile>(text).kind, "");
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(testing::fault_of<NpyFile>(text.substr(0, length)).kind, "") << length;
  for (std::size_t at = 0; at < text.size() - 16; ++at)
    for (unsigned value = 0; value < 256; ++value) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(value);
      testing::fault_of<NpyFile>(flipped);
    }
}

}  // namespace
}  // namespace bitnet
