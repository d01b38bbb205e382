// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/npy.h"

#include <gtest/gtest.h>

#include "bitnet/io/allocation_meter.h"
#include "bitnet/io/test_bytes.h"

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

TEST(Npy, RoundTrips) {
  const testing::TemporaryFolder folder;
  const std::vector<float> values{1.5f, -2, 3, 4, 5, 6};
  const std::int64_t shape[] = {2, 3};
  write_npy(folder / "f", shape, std::span<const float>(values));
  const NpyFile file(folder / "f");
  EXPECT_EQ(file.dtype(), DType::f32);
  EXPECT_EQ(file.shape(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.values<float>(), values);
  EXPECT_THROW(file.values<double>(), Error);
  EXPECT_EQ((file.source().bytes().size() - file.bytes().size()) % 64, 0u);
  const std::vector<std::int32_t> ids{7};
  const std::int64_t one[] = {1};
  write_npy(folder / "i", one, std::span<const std::int32_t>(ids));
  EXPECT_EQ(NpyFile(folder / "i").values<std::int32_t>(), ids);
  EXPECT_THROW(write_npy(folder / "x", one, std::span<const float>(values)), Error);
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const std::pair<const char*, DType> types[] = {
      {"|u1", DType::u8},  {"|i1", DType::i8},  {"<u2", DType::u16}, {"<i4", DType::i32},
      {"<i8", DType::i64}, {"<f2", DType::f16}, {"<f4", DType::f32}, {"<f8", DType::f64}};
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

TEST(NpyHostile, EachRuleNamesItself) {
  const std::pair<std::string, const char*> cases[] = {
      {"PK\3\4" + std::string(20, '\0'), "E_MAGIC"},
      {npy(dict("<f4", "(1,)"), 4, 4), "E_VERSION"},
      {std::string("\x93NUMPY\1\0\xff", 9), "E_TRUNCATED"},
      {std::string("\x93NUMPY\1\0\xff\xff{", 11), "E_TRUNCATED"},
      {npy(dict(">f4", "(1,)"), 4), "E_DTYPE"},
      {npy(dict("|O", "(1,)"), 8), "E_DTYPE"},
      {npy(dict("<f4", "(1,)", "True"), 4), "E_HEADER"},
      {npy(dict("<f4", "(-1,)"), 4), "E_HEADER"},
      {npy(dict("<f4", "(99999999999999999999,)"), 4), "E_HEADER"},
      {npy(dict("<f4", "(4294967296, 4294967296)"), 4), "E_SHAPE"},
      {npy(dict("<f8", "(4611686018427387904,)"), 8), "E_TRUNCATED"},
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
