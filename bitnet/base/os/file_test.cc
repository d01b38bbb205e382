// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bitnet/base/error.h"

namespace bitnet::os {
namespace {

class FileTest : public ::testing::Test {
 protected:
  FileTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("bitnet_file_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string make(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

  std::filesystem::path folder_;
};

std::string kind_of(auto&& action) {
  try {
    action();
  } catch (const FileError& e) {
    return e.fault().kind;
  }
  return "";
}

TEST_F(FileTest, MapsWhatIsThere) {
  const MappedFile file(make("a", "hello"));
  EXPECT_EQ(file.text(), "hello");
  EXPECT_FALSE(file.lost());
  EXPECT_NO_THROW(file.check_intact());
}

TEST_F(FileTest, WhatIsNoRegularFileIsRefusedWithoutHanging) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(kind_of([&] { MappedFile f(path("fifo")); }), "E_IO");
  EXPECT_EQ(kind_of([&] { MappedFile f(folder_.string()); }), "E_IO");
  EXPECT_EQ(kind_of([&] { MappedFile f("/dev/zero"); }), "E_IO");
  EXPECT_EQ(kind_of([&] { MappedFile f(path("absent")); }), "E_IO");
  EXPECT_EQ(kind_of([&] { MappedFile f(make("empty", "")); }), "E_IO");
  EXPECT_EQ(kind_of([&] { read_file("/dev/zero", 10); }), "E_IO");
}

TEST_F(FileTest, TruncationWhileMappedIsAnErrorNotDeath) {
  const std::string name = make("big", std::string(3 * 4096, 'x'));
  const MappedFile file(name);
  EXPECT_EQ(file.text()[4096], 'x');
  ASSERT_EQ(::truncate(name.c_str(), 4096), 0);
  EXPECT_EQ(file.text()[2 * 4096 + 5], '\0');
  EXPECT_TRUE(file.lost());
  EXPECT_EQ(kind_of([&] { file.check_intact(); }), "E_IO");
  const MappedFile other(make("fine", "y"));
  EXPECT_FALSE(other.lost());
}

TEST_F(FileTest, ReadsPiecesOfWhatItMaps) {
  const std::string name = make("big", std::string(4096, 'x') + "hello" + std::string(4096, 'y'));
  const MappedFile file(name), other(make("other", "hello"));
  const MappedFile changeable(name, MapMode::copy_on_write);
  std::string to(5, ' ');
  const auto read = [&](const MappedFile& from, std::span<const std::byte> bytes) {
    return from.read(bytes, reinterpret_cast<std::byte*>(to.data()));
  };
  EXPECT_TRUE(read(file, file.bytes().subspan(4096, 5)));
  EXPECT_EQ(to, "hello");
  EXPECT_FALSE(read(file, other.bytes()));
  EXPECT_FALSE(read(changeable, changeable.bytes().subspan(4096, 5)));
  ASSERT_EQ(::truncate(name.c_str(), 4098), 0);
  EXPECT_FALSE(read(file, file.bytes().subspan(4096, 5))) << "it ends within";
}

TEST_F(FileTest, ReadFileHasALimit) {
  EXPECT_EQ(read_file(make("five", "12345"), 5), "12345");
  EXPECT_EQ(kind_of([&] { read_file(path("five"), 4); }), "E_SIZE");
}

TEST_F(FileTest, AtomicFileShowsAllOrNothing) {
  make("target", "old");
  {
    AtomicFile file(path("target"));
    file.write("half");
  }
  EXPECT_EQ(read_file(path("target"), 100), "old");
  AtomicFile file(path("target"));
  file.write(std::string(3 << 20, 'n'));
  EXPECT_EQ(read_file(path("target"), 100), "old");
  file.commit();
  EXPECT_EQ(read_file(path("target"), 10 << 20), std::string(3 << 20, 'n'));
  int entries = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(folder_)) ++entries;
  EXPECT_EQ(entries, 1);
}

TEST_F(FileTest, AFullDiskIsAnError) {
  EXPECT_EQ(kind_of([] { AtomicFile file("/dev/full/x"); }), "E_IO");
}

}  // namespace
}  // namespace bitnet::os
