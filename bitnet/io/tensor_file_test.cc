// SPDX-License-Identifier: MIT OR Apache-2.0
// Tensor files: what was written is there, mapped and read; old files survive whatever happens.
#include "bitnet/io/tensor_file.h"

#include <unistd.h>

#include "bitnet/io/tensor_file_testing.h"
#include "bitnet/memory/storage/test_files.h"

namespace bitnet {
namespace {

using storage::kind_of;
using testing::all_kinds;
using testing::expect_same;
using testing::random_tensor;
using testing::text_of;

using TensorFileTest = storage::FilesTest;

TEST_F(TensorFileTest, EveryTypeShapeLayoutAndQuantizationComesBack) {
  const std::vector<Tensor> tensors = all_kinds();
  write_tensor_file(path("a"), tensors);
  const TensorFile file(path("a"));
  EXPECT_NO_THROW(file.verify());
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorFileEntry& entry = file.entries()[i];
    EXPECT_EQ(file.find(tensors[i].name()), &entry);
    const Tensor mapped = file.map(entry), read = file.read(entry);
    expect_same(mapped, tensors[i]);
    expect_same(read, tensors[i]);
    EXPECT_TRUE(mapped.borrowed());
    EXPECT_FALSE(read.borrowed());
    const std::uintptr_t alignment = tensors[i].size_bytes() >= 65'536 ? 4096 : 64;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapped.data()) % alignment, 0u);
  }
  EXPECT_EQ(file.find("none"), nullptr);
}

// As tensor_file.h lists them: files outlive the order of the enum.
TEST_F(TensorFileTest, NumbersOfTypesStayAsTheyAre) {
  const char* names[] = {"f32",      "f16",        "bf16", "f64",  "i8",  "u8",
                         "u16",      "i32",        "i64",  "i4",   "i2",  "i1",
                         "ternary2", "ternary1_6", "q8_0", "q4_0", "q6_k"};
  std::vector<Tensor> tensors;
  for (const char* name : names)
    tensors.push_back(random_tensor(dtype_from_name(name).value(), {0}, name, 1));
  EXPECT_EQ(tensors.size(), testing::all_types().size());
  write_tensor_file(path("a"), tensors);
  const std::string text = read("a");
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_EQ(static_cast<std::size_t>(text[64 + 160 * i + 44]), i + 1) << names[i];
}

TEST_F(TensorFileTest, MayHoldNothing) {
  write_tensor_file(path("a"), {});
  const TensorFile file(path("a"));
  EXPECT_TRUE(file.entries().empty());
  EXPECT_NO_THROW(file.verify());
}

TEST_F(TensorFileTest, SameTensorsGiveTheSameBytes) {
  write_tensor_file(path("a"), all_kinds());
  const TensorFile file(path("a"));
  std::vector<Tensor> mapped;
  for (const TensorFileEntry& entry : file.entries()) mapped.push_back(file.map(entry));
  write_tensor_file(path("b"), mapped);
  EXPECT_EQ(read("a"), read("b"));
}

TEST_F(TensorFileTest, MappedTensorsKeepTheMapping) {
  const Tensor a = random_tensor(DType::f32, {50, 100}, "a", 1);
  write_tensor_file(path("a"), std::vector{a});
  Tensor mapped;
  {
    const TensorFile file(path("a"));
    mapped = file.map(file.entries()[0]);
  }
  std::filesystem::remove(path("a"));
  EXPECT_EQ(text_of(mapped), text_of(a));
}

TEST_F(TensorFileTest, CopyOnWriteStaysInThisProcess) {
  const Tensor a = random_tensor(DType::f32, {50, 100}, "a", 1);
  write_tensor_file(path("a"), std::vector{a});
  const TensorFile file(path("a"), os::MapMode::copy_on_write);
  const TensorFileEntry& entry = file.entries()[0];
  EXPECT_NO_THROW(file.verify());
  file.writable(entry).data()[5'000] ^= std::byte{1};
  EXPECT_EQ(kind_of([&] { file.verify(); }), "E_CHECKSUM");
  EXPECT_EQ(kind_of([&] { file.read(entry); }), "E_CHECKSUM");
  EXPECT_EQ(text_of(file.read(entry, default_pool(), Checksums::trust)), text_of(file.map(entry)));
  EXPECT_NO_THROW(TensorFile(path("a")).verify());
  EXPECT_THROW(TensorFile(path("a")).writable(entry), Error);
}

TEST_F(TensorFileTest, RefusesWhatItCannotWrite) {
  const Tensor a = random_tensor(DType::u8, {3}, "a", 1);
  Tensor unnamed = a.clone(), empty, odd = a.clone();
  unnamed.set_name("");
  empty.set_name("e");
  odd.set_name("\xff");
  for (const std::vector<Tensor>& tensors : {std::vector{a, a}, {unnamed}, {empty}, {odd}}) {
    EXPECT_THROW(write_tensor_file(path("a"), tensors), Error);
    EXPECT_EQ(files(), 0u);
  }
}

TEST_F(TensorFileTest, ShrinkingWhileMappedIsAnErrorInBothModes) {
  const Tensor a = random_tensor(DType::u8, {7 * 4096 + 100}, "a", 1);
  const Tensor large = random_tensor(DType::u8, {20 * 4096}, "l", 1);
  for (const os::MapMode mode : {os::MapMode::read_only, os::MapMode::copy_on_write})
    for (const long from_end : {1L, 7L, 300L, 4096L, 60'000L, 112'000L}) {
      write_tensor_file(path("a"), std::vector{a, large});
      const TensorFile file(path("a"), mode);
      const Tensor mapped = file.map(file.entries()[0]);
      EXPECT_NO_THROW(file.check_intact());
      const long size = static_cast<long>(std::filesystem::file_size(path("a")));
      ASSERT_EQ(::truncate(path("a").c_str(), std::max(0L, size - from_end)), 0);
      EXPECT_EQ(text_of(mapped).size(), a.size_bytes());
      EXPECT_EQ(kind_of([&] { file.check_intact(); }), "E_IO") << from_end;
      EXPECT_EQ(kind_of([&] { file.verify(); }), "E_IO") << from_end;
      EXPECT_EQ(kind_of([&] { file.read(file.entries()[1], default_pool(), Checksums::trust); }),
                "E_IO");
    }
}

TEST_F(TensorFileTest, WhatWasReadWhileTheFileWasShortIsNotBelieved) {
  write_tensor_file(path("a"), std::vector{random_tensor(DType::u8, {3 * 4096}, "a", 1)});
  const std::string whole = read("a");
  const TensorFile file(path("a"));
  ASSERT_EQ(::truncate(path("a").c_str(), 0), 0);
  EXPECT_EQ(text_of(file.map(file.entries()[0])), std::string(3 * 4096, '\0'));
  write("a", whole);
  EXPECT_EQ(kind_of([&] { file.check_intact(); }), "E_IO");
}

TEST_F(TensorFileTest, DyingWhileWritingKeepsTheOldFile) {
  const std::vector old{random_tensor(DType::u8, {300'000}, "old", 1)};
  const std::vector fresh{random_tensor(DType::u8, {5'000'000}, "fresh", 2)};
  write_tensor_file(path("a"), old);
  for (const rlim_t bytes : {0u, 1u << 20, 3u << 20, 5'000'000u}) {
    storage::dies([&] { write_tensor_file(path("a"), fresh); }, bytes);
    const TensorFile file(path("a"));
    EXPECT_NO_THROW(file.verify());
    expect_same(file.map(file.entries()[0]), old[0]);
  }
}

TEST_F(TensorFileTest, KilledAtAnyTimeThereIsAWholeFile) {
  const std::vector old{random_tensor(DType::u8, {300'000}, "old", 1)};
  const std::vector fresh{random_tensor(DType::u8, {3'000'000}, "fresh", 2)};
  write_tensor_file(path("a"), old);
  for (int round = 0; round < 10; ++round) {
    storage::killed_after(round * 500, [&] { write_tensor_file(path("a"), fresh); });
    const TensorFile file(path("a"));
    EXPECT_NO_THROW(file.verify());
    expect_same(file.map(file.entries()[0]), file.entries()[0].name == "old" ? old[0] : fresh[0]);
  }
}

}  // namespace
}  // namespace bitnet
