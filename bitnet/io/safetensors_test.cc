// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/safetensors.h"

#include <gtest/gtest.h>

#include <random>

#include "bitnet/io/allocation_meter.h"
#include "bitnet/io/safetensors_writer.h"
#include "bitnet/io/test_bytes.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {
namespace {

using testing::Bytes;

std::string file_of(std::string_view header, std::size_t data_bytes) {
  return Bytes().string(header).raw(std::string(data_bytes, '\1')).str();
}

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  std::string_view offsets) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) +
         "\",\"shape\":" + std::string(shape) + ",\"data_offsets\":" + std::string(offsets) + "}";
}

std::string small_file() {
  return file_of("{\"__metadata__\":{\"format\":\"pt\"}," + entry("b", "U8", "[2,3]", "[8,14]") +
                     "," + entry("a", "F32", "[2]", "[0,8]") + "," +
                     entry("s", "BF16", "[]", "[14,16]") + "," +
                     entry("none", "F16", "[0,7]", "[16,16]") + "}  ",
                 16);
}

TEST(Safetensors, ReadsTensorsInByteOrder) {
  const std::string text = small_file();
  const SafetensorsFile file(testing::as_bytes(text), "t");
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[3].name, "none");
  const SafetensorsTensor* b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::u8);
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.bytes(*b).data(), testing::as_bytes(text).data() + text.size() - 16 + 8);
  EXPECT_EQ(file.bytes(*b).size(), 6u);
  EXPECT_EQ(file.find("x"), nullptr);
  EXPECT_EQ(file.metadata(), (SafetensorsFile::Metadata{{"format", "pt"}}));
}

TEST(Safetensors, TypesItCannotComputeWithAreListed) {
  const std::string text = file_of("{" + entry("m", "BOOL", "[4]", "[0,4]") + "}", 4);
  const SafetensorsFile file(testing::as_bytes(text), "t");
  EXPECT_EQ(file.tensors()[0].dtype_name, "BOOL");
  EXPECT_EQ(file.tensors()[0].dtype, std::nullopt);
}

struct Case {
  const char* what;
  std::string text;
  const char* kind;
};

TEST(SafetensorsHostile, EachRuleNamesItself) {
  const std::string a = entry("a", "U8", "[4]", "[0,4]");
  const Case cases[] = {
      {"no length", "1234567", "E_TRUNCATED"},
      {"header 0", std::string(8, '\0'), "E_HEADER"},
      {"header beyond the file", Bytes().u64(100).raw("{}").str(), "E_HEADER"},
      {"header beyond 100 MB", Bytes().u64(100'000'001).raw("{}").str(), "E_HEADER"},
      {"header 2^64-1", Bytes().u64(UINT64_MAX).raw("{}").str(), "E_HEADER"},
      {"not an object", file_of("[1]", 0), "E_HEADER"},
      {"leading space", file_of(" {}", 0), "E_HEADER"},
      {"bad UTF-8", file_of("{\"\xff\":1}", 0), "E_HEADER"},
      {"number beyond double", file_of("{\"a\":1e400}", 0), "E_HEADER"},
      {"entry is no object", file_of("{\"a\":[]}", 0), "E_HEADER"},
      {"duplicate names", file_of("{" + a + "," + a + "}", 4), "E_DUPKEY"},
      {"10^5 deep", file_of("{\"a\":" + std::string(100'000, '['), 0), "E_DEPTH"},
      {"negative offset", file_of("{" + entry("a", "U8", "[4]", "[-1,4]") + "}", 4), "E_OFFSET"},
      {"real offset", file_of("{" + entry("a", "U8", "[4]", "[0,4.0]") + "}", 4), "E_HEADER"},
      {"three offsets", file_of("{" + entry("a", "U8", "[4]", "[0,4,4]") + "}", 4), "E_HEADER"},
      {"offsets reversed", file_of("{" + entry("a", "U8", "[4]", "[4,0]") + "}", 4), "E_OFFSET"},
      {"past the end", file_of("{" + entry("a", "U8", "[4]", "[0,4]") + "}", 3), "E_TRUNCATED"},
      {"rest uncovered", file_of("{" + a + "}", 5), "E_OFFSET"},
      {"start uncovered", file_of("{" + entry("a", "U8", "[4]", "[1,5]") + "}", 5), "E_OFFSET"},
      {"gap", file_of("{" + a + "," + entry("b", "U8", "[4]", "[5,9]") + "}", 9), "E_OFFSET"},
      {"overlap", file_of("{" + a + "," + entry("b", "U8", "[4]", "[3,7]") + "}", 7), "E_OFFSET"},
      {"same bytes twice", file_of("{" + a + "," + entry("b", "U8", "[4]", "[0,4]") + "}", 4),
       "E_OFFSET"},
      {"size differs", file_of("{" + entry("a", "F32", "[4]", "[0,4]") + "}", 4), "E_SHAPE"},
      {"shape wraps",
       file_of("{" + entry("a", "U8", "[4294967296,4294967296,4]", "[0,4]") + "}", 4), "E_SHAPE"},
      {"bits wrap", file_of("{" + entry("a", "U8", "[2305843009213693952]", "[0,0]") + "}", 0),
       "E_SHAPE"},
      {"shape wraps beside a 0",
       file_of("{" + entry("a", "U8", "[0,4611686018427387904,4]", "[0,0]") + "}", 0), "E_SHAPE"},
      {"negative dim", file_of("{" + entry("a", "U8", "[-4]", "[0,4]") + "}", 4), "E_SHAPE"},
      {"9 axes", file_of("{" + entry("a", "U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]") + "}", 4),
       "E_NDIMS"},
      {"unknown type", file_of("{" + entry("a", "Q9", "[4]", "[0,4]") + "}", 4), "E_DTYPE"},
      {"half a byte", file_of("{" + entry("a", "F4", "[3]", "[0,1]") + "}", 1), "E_SHAPE"},
      {"metadata of numbers", file_of("{\"__metadata__\":{\"a\":1}}", 0), "E_HEADER"},
  };
  for (const Case& test : cases) {
    const AllocationMeter meter;
    const FileFault fault = testing::fault_of<SafetensorsFile>(test.text);
    EXPECT_EQ(fault.kind, test.kind) << test.what << ": " << fault.field << " " << fault.value;
    EXPECT_LT(meter.peak_bytes(), 32 * test.text.size() + 32'768) << test.what;
  }
}

TEST(SafetensorsHostile, ErrorsPointAtTheTensor) {
  const std::string a = entry("a", "U8", "[4]", "[0,4]");
  const FileFault fault = testing::fault_of<SafetensorsFile>(
      file_of("{" + a + "," + entry("b", "U8", "[4]", "[3,7]") + "}", 7));
  EXPECT_EQ(fault.field, "tensor \"b\"");
  EXPECT_EQ(fault.offset, 8u + 1 + a.size() + 1);
}

TEST(SafetensorsHostile, EveryPrefixIsRefused) {
  const std::string text = small_file();
  ASSERT_EQ(testing::fault_of<SafetensorsFile>(text).kind, "");
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(testing::fault_of<SafetensorsFile>(text.substr(0, length)).kind, "") << length;
}

TEST(SafetensorsHostile, EveryByteFlipIsReadOrRefused) {
  const std::string text = small_file();
  int refused = 0;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (unsigned value = 0; value < 256; value += 5) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(value);
      refused += testing::fault_of<SafetensorsFile>(flipped).kind != "";
    }
  EXPECT_GT(refused, 5000);
}

TEST(SafetensorsWriter, RoundTripsAndReproducesFilesByteForByte) {
  const testing::TemporaryFolder folder;
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const std::vector<std::uint8_t> codes{7, 8};
  const SafetensorsItem items[] = {
      {"w \"x\"", DType::f32, {2, 3}, bytes_in_memory(std::as_bytes(std::span(values)))},
      {"c", DType::u8, {2, 1}, bytes_in_memory(std::as_bytes(std::span(codes)))},
  };
  write_safetensors(folder / "a", items, {{"format", "pt"}});
  const SafetensorsFile file(folder / "a");
  EXPECT_EQ(file.tensors()[0].offset % 8, 0u);
  ASSERT_NE(file.find("w \"x\""), nullptr);
  EXPECT_TRUE(
      std::ranges::equal(file.bytes(*file.find("w \"x\"")), std::as_bytes(std::span(values))));
  EXPECT_EQ(file.find("c")->shape, (std::vector<std::int64_t>{2, 1}));
  write_safetensors_verbatim(folder / "b", file.header(), items);
  EXPECT_EQ(os::read_file(folder / "b", 1 << 20), os::read_file(folder / "a", 1 << 20));
  const SafetensorsItem swapped[] = {items[1], items[0]};
  EXPECT_THROW(write_safetensors_verbatim(folder / "b", file.header(), swapped), Error);
}

TEST(SafetensorsWriter, TensorsOfEveryTypeComeBack) {
  const testing::TemporaryFolder folder;
  std::vector<Tensor> tensors;
  std::vector<SafetensorsItem> items;
  std::mt19937 random(3);
  for (const DType type : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32,
                           DType::i8, DType::u8, DType::u16})
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{0, 4}, Shape{2, 3, 5}, Shape{300, 1000}}) {
      Tensor tensor = Tensor::allocate(type, shape);
      for (std::size_t i = 0; i < tensor.size_bytes(); ++i)
        tensor.mutable_data()[i] = static_cast<std::byte>(random());
      tensor.set_name(std::string(info(type).name) + to_string(shape));
      tensors.push_back(tensor);
      items.push_back(safetensors_item(tensor.name(), tensor));
    }
  const TensorView turned = tensors[3].view().transpose(0, 2);
  tensors.push_back(contiguous(turned));
  tensors.back().set_name("turned");
  items.push_back(safetensors_item("turned", turned));
  write_safetensors(folder / "a", items, {{"note", "kept"}});
  const SafetensorsFile file(folder / "a");
  EXPECT_EQ(file.metadata(), (SafetensorsFile::Metadata{{"note", "kept"}}));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const Tensor& tensor : tensors) {
    const Tensor seen = file.read(*file.find(tensor.name()));
    EXPECT_EQ(seen.name(), tensor.name());
    EXPECT_EQ(seen.dtype(), tensor.dtype());
    EXPECT_EQ(seen.shape(), tensor.shape());
    EXPECT_TRUE(std::ranges::equal(std::span(seen.data(), seen.size_bytes()),
                                   std::span(tensor.data(), tensor.size_bytes())));
  }
  const std::string other = file_of("{" + entry("m", "BOOL", "[4]", "[0,4]") + "}", 4);
  const SafetensorsFile masks(testing::as_bytes(other), "t");
  EXPECT_THROW(masks.read(masks.tensors()[0]), FileError);
}

TEST(SafetensorsWriter, RefusesWhatDoesNotAddUp) {
  const testing::TemporaryFolder folder;
  const auto refused = [&](SafetensorsItem item) {
    EXPECT_THROW(write_safetensors(folder / "x", std::span(&item, 1), {}), Error);
    EXPECT_FALSE(os::is_regular_file(folder / "x"));
  };
  refused({"short", DType::f32, {1}, bytes_in_memory({})});
  refused({"block", DType::q8_0, {1}, bytes_in_memory({})});
  refused({"negative", DType::u8, {-1}, bytes_in_memory({})});
  const SafetensorsItem twice[] = {{"a", DType::u8, {0}, bytes_in_memory({})},
                                   {"a", DType::u8, {0}, bytes_in_memory({})}};
  EXPECT_THROW(write_safetensors(folder / "x", twice, {}), Error);
}

}  // namespace
}  // namespace bitnet
