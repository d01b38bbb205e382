// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/safetensors_folder.h"

#include <gtest/gtest.h>

#include "bitnet/base/os/file.h"
#include "bitnet/io/json.h"
#include "bitnet/io/safetensors_writer.h"
#include "bitnet/io/test_bytes.h"

namespace bitnet {
namespace {

class Shards : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_ / "m");
    write_shard("m/s1.safetensors", {"a", "b"});
    write_shard("m/s2.safetensors", {"c"});
    write_shard("outside.safetensors", {"a", "b"});
  }

  void write_shard(const std::string& file, std::vector<std::string> names) {
    std::vector<SafetensorsItem> items;
    for (const std::string& name : names)
      items.push_back(
          {name, DType::u8, {1}, bytes_in_memory(testing::as_bytes(std::string_view("x")))});
    write_safetensors(folder_ / file, items, {});
  }

  void write_index(std::string_view text) {
    os::AtomicFile file(folder_ / "m/model.safetensors.index.json");
    file.write(text);
    file.commit();
  }

  std::string kind_of(std::string_view weight_map) {
    write_index("{\"metadata\":{},\"weight_map\":" + std::string(weight_map) + "}");
    try {
      SafetensorsFolder model(folder_ / "m");
    } catch (const FileError& error) {
      return error.fault().kind;
    }
    return "";
  }

  testing::TemporaryFolder folder_;
};

TEST_F(Shards, AreOneSetOfTensors) {
  EXPECT_EQ(kind_of(R"({"a":"s1.safetensors","b":"s1.safetensors","c":"s2.safetensors"})"), "");
  const SafetensorsFolder model(folder_ / "m");
  EXPECT_EQ(model.files().size(), 2u);
  ASSERT_EQ(model.entries().size(), 3u);
  ASSERT_NE(model.find("c"), nullptr);
  EXPECT_EQ(model.find("c")->file->path(), folder_ / "m/s2.safetensors");
  EXPECT_EQ(model.find("d"), nullptr);
}

TEST_F(Shards, NamesThatLeadOutOfTheFolderAreRefused) {
  std::filesystem::create_symlink("../outside.safetensors", folder_ / "m/link.safetensors");
  std::filesystem::create_directory_symlink("..", folder_ / "m/up");
  for (const std::string& name :
       {folder_ / "outside.safetensors", std::string("../outside.safetensors"),
        std::string("up/outside.safetensors"), std::string("link.safetensors"),
        std::string("..\\outside.safetensors"), std::string("."), std::string(),
        std::string("s1.safetensors\0x.safetensors", 28), std::string("config.json"),
        std::string(300, 'a') + ".safetensors"})
    EXPECT_EQ(kind_of("{\"a\":" + json_quote(name) + "}"), "E_PATH") << name;
}

TEST_F(Shards, DisagreeingWithTheirIndexAreRefused) {
  EXPECT_EQ(kind_of(R"({"a":"s3.safetensors"})"), "E_SHARD");
  EXPECT_EQ(kind_of(R"({"c":"s1.safetensors"})"), "E_SHARD");
  write_shard("m/s3.safetensors", {"a"});
  EXPECT_EQ(kind_of(R"({"a":"s1.safetensors","c":"s2.safetensors"})"), "");
  write_shard("m/s2.safetensors", {"c", "a"});
  EXPECT_EQ(kind_of(R"({"a":"s1.safetensors","c":"s2.safetensors"})"), "E_SHARD");
}

TEST_F(Shards, MalformedIndexesAreRefused) {
  EXPECT_EQ(kind_of("[]"), "E_HEADER");
  EXPECT_EQ(kind_of(R"({"a":1})"), "E_HEADER");
  EXPECT_EQ(kind_of(R"({"a":"s1.safetensors","a":"s1.safetensors"})"), "E_DUPKEY");
  const std::string text = R"({"weight_map":{"a":"s1.safetensors"}})";
  for (std::size_t length = 0; length < text.size(); ++length) {
    write_index(text.substr(0, length));
    EXPECT_THROW(SafetensorsFolder(folder_ / "m"), FileError) << length;
  }
  for (std::size_t at = 0; at < text.size(); ++at)
    for (unsigned value = 0; value < 256; value += 15) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(value);
      write_index(flipped);
      try {
        SafetensorsFolder model(folder_ / "m");
        EXPECT_EQ(model.entries().size(), 1u);
      } catch (const FileError& error) {
        EXPECT_FALSE(error.fault().kind.empty());
      }
    }
}

TEST_F(Shards, OneFileNeedsNoIndex) {
  const SafetensorsFolder model(folder_ / "outside.safetensors");
  EXPECT_EQ(model.entries().size(), 2u);
  EXPECT_THROW(SafetensorsFolder(folder_ / "m"), FileError);
}

}  // namespace
}  // namespace bitnet
