// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/gguf.h"

#include <gtest/gtest.h>

#include <numeric>

#include "bitnet/io/gguf_writer.h"
#include "bitnet/io/test_bytes.h"

namespace bitnet {
namespace {

class GgufRoundTrip : public ::testing::Test {
 protected:
  void SetUp() override {
    std::iota(weights_.begin(), weights_.end(), 0.5f);
    GgufWriter writer;
    writer.add_string("general.architecture", "bitnet-b1.58");
    writer.add_u32("u32", 4000000000u);
    writer.add_u64("u64", 1ull << 40);
    writer.add_i32("i32", -5);
    writer.add_f32("f32", 1e-5f);
    writer.add_bool("bool", true);
    const std::string_view tokens[] = {"a", "", "\xff raw"};
    writer.add_strings("tokens", tokens);
    const float scores[] = {0.25f, -1.0f};
    writer.add_f32_array("scores", scores);
    const std::int32_t types[] = {1, 3, -2};
    writer.add_i32_array("types", types);
    const std::int64_t matrix[] = {6, 4}, stream[] = {128, 3};
    writer.add_tensor("w", GgmlType::f32, matrix,
                      bytes_in_memory(std::as_bytes(std::span(weights_))));
    writer.add_tensor("t", GgmlType::i2_s, stream,
                      bytes_in_memory(std::as_bytes(std::span(packed_))));
    writer.write(folder_ / "a.gguf");
  }

  testing::TemporaryFolder folder_;
  std::vector<float> weights_ = std::vector<float>(24);
  std::vector<std::uint8_t> packed_ = std::vector<std::uint8_t>(96 + 32, 0x55);
};

TEST_F(GgufRoundTrip, ValuesComeBack) {
  const GgufFile file(folder_ / "a.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_TRUE(file.warnings().empty());
  EXPECT_EQ(file.get_string("general.architecture"), "bitnet-b1.58");
  EXPECT_EQ(file.get_u32("u32"), 4000000000u);
  EXPECT_EQ(file.get_u64("u64"), 1ull << 40);
  EXPECT_EQ(file.get_i64("i32"), -5);
  EXPECT_EQ(file.get_i64("u32"), 4000000000);
  EXPECT_EQ(file.get_f32("f32"), 1e-5f);
  EXPECT_TRUE(file.get_bool("bool"));
  EXPECT_EQ(file.get_strings("tokens"), (std::vector<std::string_view>{"a", "", "\xff raw"}));
  EXPECT_EQ(file.get_f32_array("scores"), (std::vector<float>{0.25f, -1.0f}));
  EXPECT_EQ(file.get_int_array("types"), (std::vector<std::int64_t>{1, 3, -2}));
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST_F(GgufRoundTrip, TensorsComeBackAligned) {
  const GgufFile file(folder_ / "a.gguf");
  ASSERT_EQ(file.tensors().size(), 2u);
  const GgufTensor* w = file.find_tensor("w");
  const GgufTensor* t = file.find_tensor("t");
  ASSERT_TRUE(w != nullptr && t != nullptr);
  EXPECT_EQ(file.find_tensor("x"), nullptr);
  EXPECT_EQ(w->type->dtype, DType::f32);
  EXPECT_EQ(w->columns(), 6);
  EXPECT_EQ(w->rows(), 4);
  EXPECT_TRUE(std::ranges::equal(file.bytes(*w), std::as_bytes(std::span(weights_))));
  EXPECT_EQ(t->type->packed, PackedFormat::i2_s_x86);
  EXPECT_EQ(t->size_bytes, 128u);
  EXPECT_EQ(t->offset % 32, 0u);
  EXPECT_TRUE(std::ranges::equal(file.bytes(*t), std::as_bytes(std::span(packed_))));
}

TEST_F(GgufRoundTrip, CopiedValuesGiveTheSameFile) {
  const GgufFile file(folder_ / "a.gguf");
  GgufWriter writer;
  for (const GgufKeyValue& entry : file.key_values()) writer.add_copy(entry);
  for (const GgufTensor& tensor : file.tensors())
    writer.add_tensor(tensor.name, tensor.type->type,
                      std::span(tensor.dims.data(), tensor.num_dims),
                      bytes_in_memory(file.bytes(tensor)));
  writer.write(folder_ / "b.gguf");
  EXPECT_EQ(os::read_file(folder_ / "b.gguf", 1 << 20), os::read_file(folder_ / "a.gguf", 1 << 20));
}

TEST_F(GgufRoundTrip, WrongTypesNameBoth) {
  const GgufFile file(folder_ / "a.gguf");
  const auto fault = [&](auto get) -> FileFault {
    try {
      get();
    } catch (const FileError& error) {
      return error.fault();
    }
    return {};
  };
  const FileFault text = fault([&] { file.get_u32("general.architecture"); });
  EXPECT_EQ(text.kind, "E_KEYTYPE");
  EXPECT_EQ(text.value, "string");
  EXPECT_EQ(text.limit, "an integer >= 0");
  EXPECT_EQ(fault([&] { file.get_u64("i32"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_u32("u64"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_f32("u32"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_bool("u32"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_string("u32"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_strings("scores"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_f32_array("types"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_int_array("tokens"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_int_array("u32"); }).kind, "E_KEYTYPE");
  EXPECT_EQ(fault([&] { file.get_u32("absent"); }).kind, "E_KEY");
}

TEST(GgufWriter, RefusesWhatTheReaderWouldRefuse) {
  GgufWriter writer;
  const auto none = bytes_in_memory({});
  const std::int64_t odd[] = {33}, zero[] = {4, 0}, five[] = {1, 1, 1, 1, 1}, good[] = {4};
  EXPECT_THROW(writer.add_tensor("t", GgmlType::q8_0, odd, none), Error);
  EXPECT_THROW(writer.add_tensor("t", GgmlType::f32, zero, none), Error);
  EXPECT_THROW(writer.add_tensor("t", GgmlType::f32, five, none), Error);
  EXPECT_THROW(writer.add_tensor("", GgmlType::f32, good, none), Error);
  EXPECT_THROW(writer.add_tensor(std::string(65, 'x'), GgmlType::f32, good, none), Error);
  EXPECT_THROW(writer.add_bool("a\n", true), Error);
  writer.add_bool("a", true);
  EXPECT_THROW(writer.add_bool("a", false), Error);
  writer.add_tensor("t", GgmlType::f32, good, none);
  EXPECT_THROW(writer.add_tensor("t", GgmlType::f32, good, none), Error);
}

TEST(GgufWriter, LeavesTheOldFileWhenATensorFallsShort) {
  const testing::TemporaryFolder folder;
  const std::int64_t dims[] = {4};
  const float values[] = {1, 2, 3, 4};
  GgufWriter whole;
  whole.add_tensor("t", GgmlType::f32, dims, bytes_in_memory(std::as_bytes(std::span(values))));
  whole.write(folder / "a.gguf");
  const std::string before = os::read_file(folder / "a.gguf", 1 << 20);
  GgufWriter shorter;
  shorter.add_tensor("t", GgmlType::f32, dims, bytes_in_memory({}));
  EXPECT_THROW(shorter.write(folder / "a.gguf"), Error);
  EXPECT_EQ(os::read_file(folder / "a.gguf", 1 << 20), before);
}

TEST(GgmlTypes, EveryIdSaysItsTool) {
  EXPECT_EQ(describe_ggml_id(36), "I2_S");
  EXPECT_NE(describe_ggml_id(38).find("TL1 (bitnet.cpp"), std::string::npos);
  EXPECT_NE(describe_ggml_id(39).find("TL2"), std::string::npos);
  EXPECT_EQ(describe_ggml_id(12345), "unknown");
  for (std::uint32_t id = 0; id <= 42; ++id) EXPECT_NE(describe_ggml_id(id), "unknown") << id;
}

}  // namespace
}  // namespace bitnet
