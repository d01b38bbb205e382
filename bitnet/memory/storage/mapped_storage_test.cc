// SPDX-License-Identifier: MIT OR Apache-2.0
// Mapped storage: what was written is there; damaged, foreign and shrinking files are errors.
#include "bitnet/memory/storage/mapped_storage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "bitnet/base/error.h"
#include "bitnet/base/hash.h"
#include "bitnet/memory/storage/numbers.h"
#include "bitnet/memory/storage/test_files.h"

namespace bitnet::storage {
namespace {

using MappedStorageTest = FilesTest;

TEST_F(MappedStorageTest, HoldsWhatItWasGiven) {
  for (const std::size_t size : {0u, 1u, 4096u, 70'000u}) {
    const std::string content = pattern(size, 1);
    MappedStorage::create(path("a"), bytes_of(content));
    const MappedStorage storage(path("a"));
    EXPECT_EQ(text_of(storage.bytes()), content);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(storage.bytes().data()) % 4096, 0u);
    EXPECT_NO_THROW(storage.verify());
    EXPECT_THROW(storage.writable_bytes(), Error);
  }
}

TEST_F(MappedStorageTest, CopyOnWriteStaysInThisProcess) {
  const std::string content = pattern(10'000, 1);
  MappedStorage::create(path("a"), bytes_of(content));
  const MappedStorage storage(path("a"), os::MapMode::copy_on_write);
  EXPECT_NO_THROW(storage.verify());
  storage.writable_bytes()[5'000] ^= std::byte{1};
  EXPECT_EQ(kind_of([&] { storage.verify(); }), "E_CHECKSUM");
  EXPECT_NO_THROW(MappedStorage(path("a")).verify());
  EXPECT_EQ(text_of(MappedStorage(path("a")).bytes()), content);
}

TEST_F(MappedStorageTest, EveryPrefixIsRefused) {
  MappedStorage::create(path("a"), bytes_of(pattern(100, 1)));
  const std::string whole = read("a");
  for (std::size_t size = 0; size < whole.size(); size += size < 64 || size > 4090 ? 1 : 61) {
    write("b", whole.substr(0, size));
    EXPECT_NE(kind_of([&] { MappedStorage storage(path("b")); }), "") << size;
  }
  write("b", whole + '\0');
  EXPECT_EQ(kind_of([&] { MappedStorage storage(path("b")); }), "E_SIZE");
}

TEST_F(MappedStorageTest, EveryFlippedByteIsRefused) {
  MappedStorage::create(path("a"), bytes_of(pattern(50, 1)));
  const std::string whole = read("a");
  std::fstream file(path("a"), std::ios::binary | std::ios::in | std::ios::out);
  const auto set = [&](std::size_t at, int value) {
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(value));
    file.flush();
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    set(at, whole[at] ^ 0x40);
    EXPECT_NE(kind_of([&] { MappedStorage(path("a")).verify(); }), "") << at;
    set(at, whole[at]);
  }
  EXPECT_NO_THROW(MappedStorage(path("a")).verify());
}

TEST_F(MappedStorageTest, ForeignFilesAreNamed) {
  MappedStorage::create(path("a"), bytes_of("x"));
  std::string other = read("a");
  std::swap(other[8], other[11]);
  std::swap(other[9], other[10]);
  write("b", other);
  EXPECT_EQ(kind_of([&] { MappedStorage storage(path("b")); }), "E_ENDIAN");
  other = read("a");
  other[12] = 2;
  write("b", other);
  EXPECT_EQ(kind_of([&] { MappedStorage storage(path("b")); }), "E_VERSION");
}

// A header whose checksum is right and whose sizes lie.
TEST_F(MappedStorageTest, LyingSizesAreRefused) {
  MappedStorage::create(path("a"), bytes_of(pattern(5000, 1)));
  const std::string whole = read("a");
  const auto lie = [&](std::size_t at, std::uint64_t value) {
    std::string number;
    put(number, value);
    std::string bad = whole;
    bad.replace(at, 8, number);
    number.clear();
    put(number, xxh64(bytes_of(bad).first(48)));
    write("b", bad.replace(48, 8, number));
    return kind_of([&] { MappedStorage storage(path("b")); });
  };
  for (const std::uint64_t value : {0ull, 1ull, 4096ull, 1ull << 40, ~0ull, ~0ull - 4095}) {
    EXPECT_EQ(lie(16, value), "E_SIZE") << value;
    EXPECT_EQ(lie(32, value), "E_SIZE") << value;
    EXPECT_EQ(lie(24, value) == "", value == 4096) << value;
  }
}

TEST_F(MappedStorageTest, ShrinkingWhileMappedIsAnErrorInBothModes) {
  for (const os::MapMode mode : {os::MapMode::read_only, os::MapMode::copy_on_write})
    for (const long left : {0L, 4096L, 3 * 4096L + 20, 8 * 4096L + 99, 8 * 4096L + 107}) {
      MappedStorage::create(path("a"), bytes_of(pattern(7 * 4096 + 100, 1)));
      const MappedStorage storage(path("a"), mode);
      EXPECT_NO_THROW(storage.check_intact());
      ASSERT_EQ(::truncate(path("a").c_str(), left), 0);
      if (mode == os::MapMode::copy_on_write) {
        for (std::byte& b : storage.writable_bytes()) b = std::byte{9};
        EXPECT_EQ(storage.bytes().back(), std::byte{9});
      }
      EXPECT_EQ(kind_of([&] { storage.check_intact(); }), "E_IO") << left;
      EXPECT_EQ(kind_of([&] { storage.verify(); }), "E_IO") << left;
    }
}

TEST_F(MappedStorageTest, WhatWasReadWhileTheFileWasShortIsNotBelieved) {
  MappedStorage::create(path("a"), bytes_of(pattern(3 * 4096, 1)));
  const std::string whole = read("a");
  const MappedStorage storage(path("a"));
  ASSERT_EQ(::truncate(path("a").c_str(), 0), 0);
  EXPECT_EQ(text_of(storage.bytes()), std::string(3 * 4096, '\0'));
  write("a", whole);
  EXPECT_EQ(kind_of([&] { storage.check_intact(); }), "E_IO");
}

TEST_F(MappedStorageTest, DyingInCreateKeepsTheOldFile) {
  const std::string old = pattern(300'000, 1), fresh = pattern(5'000'000, 2);
  MappedStorage::create(path("a"), bytes_of(old));
  for (const rlim_t bytes : {0u, 1u << 20, 3u << 20, 5'000'000u}) {
    dies([&] { MappedStorage::create(path("a"), bytes_of(fresh)); }, bytes);
    const MappedStorage storage(path("a"));
    EXPECT_NO_THROW(storage.verify());
    EXPECT_EQ(text_of(storage.bytes()), old);
  }
}

TEST_F(MappedStorageTest, KilledAtAnyTimeThereIsAWholeFile) {
  const std::string old = pattern(300'000, 1), fresh = pattern(3'000'000, 2);
  MappedStorage::create(path("a"), bytes_of(old));
  for (int round = 0; round < 10; ++round) {
    killed_after(round * 500, [&] { MappedStorage::create(path("a"), bytes_of(fresh)); });
    const MappedStorage storage(path("a"));
    EXPECT_NO_THROW(storage.verify());
    EXPECT_TRUE(text_of(storage.bytes()) == old || text_of(storage.bytes()) == fresh);
  }
}

}  // namespace
}  // namespace bitnet::storage
