// SPDX-License-Identifier: MIT OR Apache-2.0
// The state of a pool in a file: what was saved comes back; damage is an error or changes nothing.
#include "bitnet/memory/storage/pool_state.h"

#include <gtest/gtest.h>

#include "bitnet/base/error.h"
#include "bitnet/base/hash.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/device/testing/scripted_device.h"
#include "bitnet/memory/storage/codec.h"
#include "bitnet/memory/storage/numbers.h"
#include "bitnet/memory/storage/test_files.h"

namespace bitnet::storage {
namespace {

constexpr std::size_t kFooter = 40;

class PoolStateTest : public FilesTest {
 protected:
  // Names and contents that outlive the blocks made of them.
  struct Content {
    std::string name, bytes;
    std::size_t alignment;
    bool compress;
  };

  static std::vector<Content> contents(std::uint32_t seed) {
    std::string trits = pattern(700, seed);
    for (char& c : trits) c = static_cast<char>(static_cast<unsigned char>(c) % 3 - 1);
    return {{"noise", pattern(333, seed + 1), 64, true},
            {"trits", trits, 4096, true},
            {"empty", "", 1, false},
            {"same", std::string(1 << 20, 'x'), 2 << 20, true},
            {"plain", std::string(77, 'y'), 8, false}};
  }

  static std::vector<NamedBlock> blocks(const std::vector<Content>& from) {
    std::vector<NamedBlock> made;
    for (const Content& c : from)
      made.push_back({c.name, bytes_of(c.bytes), c.alignment, c.compress});
    return made;
  }

  void save(const std::string& name, const std::vector<Content>& what) const {
    save_pool_state(path(name), blocks(what));
  }

  static bool same(const std::vector<RestoredBlock>& got, const std::vector<Content>& want) {
    if (got.size() != want.size()) return false;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const MemoryHandle& block = got[i].block;
      if (got[i].name != want[i].name || got[i].alignment != want[i].alignment ||
          text_of({block.data(), block.size_bytes()}) != want[i].bytes ||
          reinterpret_cast<std::uintptr_t>(block.data()) % want[i].alignment != 0)
        return false;
    }
    return true;
  }

  std::string refusal(const std::string& file) {
    return kind_of([&] { load_pool_state(bytes_of(file), "state", pool_); });
  }

  // `file` with the checksum of its footer made right again; the entries' too, if asked.
  static std::string sealed(std::string file, bool entries = true) {
    const std::size_t footer = file.size() - kFooter;
    const auto bytes = bytes_of(file);
    if (entries) {
      const std::size_t begin = footer - get<std::uint64_t>(bytes, footer + 16) -
                                32 * get<std::uint64_t>(bytes, footer + 8);
      set(file, footer + 24, xxh64(bytes.subspan(begin, footer - begin)));
    }
    set(file, footer + 32, xxh64(bytes_of(file).subspan(footer, 32)));
    return file;
  }

  static void set(std::string& file, std::size_t at, std::uint64_t value) {
    std::string number;
    put(number, value);
    file.replace(at, 8, number);
  }

  HybridMemoryPool pool_;
};

TEST_F(PoolStateTest, WhatWasSavedComesBack) {
  for (const auto& what : {contents(1), std::vector<Content>{}}) {
    save("a", what);
    EXPECT_TRUE(same(load_pool_state(path("a"), pool_), what));
    EXPECT_TRUE(same(load_pool_state(bytes_of(read("a")), "a", pool_), what));
  }
  save("a", contents(1));
  // Neither zstd nor lz4: stored as it is.
  EXPECT_LT(read("a").size(),
            codecs().size() > 1 ? 20'000u : 1'100'000u);  // of a megabyte that is all alike, 1/256
}

TEST_F(PoolStateTest, BlocksComeBackOnTheDeviceThatIsChosen) {
  testing::ScriptedDevice device({.readable = true});
  device.be_synchronous();
  HybridMemoryPool pool;
  pool.add_driver(std::make_unique<testing::ScriptedDriver>(device));
  const Device cuda{DeviceKind::cuda, 0};
  const auto wanted = contents(4);
  save("state", wanted);
  const auto on_device = [&](std::string_view name) { return name == "plain" ? Device{} : cuda; };
  {
    const auto got = load_pool_state(path("state"), pool, on_device);
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].block.device(), wanted[i].name == "plain" ? Device{} : cuda);
      std::string back(wanted[i].bytes.size(), '?');
      pool.download(std::as_writable_bytes(std::span(back)), got[i].block);
      EXPECT_EQ(back, wanted[i].bytes);
      if (back.empty()) continue;
      EXPECT_THROW(pool.upload(got[i].block, bytes_of(back + "x")), Error);
    }
  }
  // Each call of the driver fails once: an error, and nothing stays.
  for (std::uint64_t k = 1; k < 100; ++k) {
    testing::ScriptedDevice failing({.readable = true});
    failing.be_synchronous();
    HybridMemoryPool other;
    other.add_driver(std::make_unique<testing::ScriptedDriver>(failing));
    failing.fail_call(k);
    try {
      load_pool_state(path("state"), other, on_device);
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Errc::out_of_memory || error.code() == Errc::device_lost);
    }
    EXPECT_EQ(other.metrics().live_blocks, 0u) << k;
  }
}

TEST_F(PoolStateTest, BadNamesAndAlignmentsAreRefusedAndWriteNothing) {
  const std::string long_name(4097, 'n');
  for (const std::string& name : {std::string(), long_name})
    EXPECT_THROW(save("a", {{name, "x", 64, false}}), Error);
  EXPECT_THROW(save("a", {{"n", "x", 64, false}, {"n", "y", 64, false}}), Error);
  for (const std::size_t alignment : {std::size_t{0}, std::size_t{3}, std::size_t{4} << 20})
    EXPECT_THROW(save("a", {{"n", "x", alignment, false}}), Error);
  EXPECT_FALSE(os::is_regular_file(path("a")));
}

TEST_F(PoolStateTest, EveryPrefixIsRefused) {
  std::vector<Content> what = contents(1);
  what.erase(what.begin() + 3);  // the megabyte: nothing new, much time
  save("a", what);
  const std::string whole = read("a");
  for (std::size_t size = 0; size < whole.size(); ++size)
    ASSERT_NE(refusal(whole.substr(0, size)), "") << size;
  EXPECT_NE(refusal(whole + '\0'), "");
}

TEST_F(PoolStateTest, EveryFlippedByteIsRefusedOrChangesNothing) {
  std::vector<Content> what = contents(1);
  what.erase(what.begin() + 3);  // the megabyte: nothing new, much time
  save("a", what);
  const std::string whole = read("a");
  const std::uint64_t before = pool_.metrics().live_bytes;
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      try {
        ASSERT_TRUE(same(load_pool_state(bytes_of(bad), "state", pool_), what)) << at;
        ++accepted;
      } catch (const Error&) {
      }
      // Entries whose checksums are right all the same.
      try {
        if (at >= 64) load_pool_state(bytes_of(sealed(bad, at < bad.size() - kFooter)), "", pool_);
      } catch (const Error&) {
      }
    }
  EXPECT_LT(accepted, 3 * 64 * what.size());  // the zeros that fill regions up
  EXPECT_EQ(pool_.metrics().live_bytes, before);
}

TEST_F(PoolStateTest, LiesUnderRightChecksumsAreRefused) {
  save("a", {{"ab", pattern(300, 1), 64, false}, {"cd", "x", 64, false}});
  const std::string whole = read("a");
  const std::size_t footer = whole.size() - kFooter, entry = footer - 4 - 64;
  const auto with = [&](std::size_t at, std::uint64_t value) {
    std::string bad = whole;
    set(bad, at, value);
    return refusal(sealed(bad, at < footer));
  };
  EXPECT_EQ(refusal(sealed(whole)), "");
  for (const std::uint64_t value : {3ull, 1ull << 40, 1ull << 59, ~0ull}) {
    EXPECT_EQ(with(footer, value), "E_SIZE") << value;
    EXPECT_EQ(with(footer + 8, value), value == 3 ? "E_CHECKSUM" : "E_COUNT") << value;
    EXPECT_EQ(with(footer + 16, value), value == 3 ? "E_CHECKSUM" : "E_COUNT") << value;
    if (value == 3) continue;
    EXPECT_EQ(with(entry + 8, value), "E_SIZE") << value;
    EXPECT_EQ(with(entry + 16, value), "E_SIZE") << value;
  }
  const auto byte = [&](std::size_t at, int value) {
    std::string bad = whole;
    bad[at] = static_cast<char>(value);
    return refusal(sealed(bad));
  };
  EXPECT_EQ(byte(entry, 0), "E_KEY");
  EXPECT_EQ(byte(entry, 5), "E_KEY");
  EXPECT_EQ(byte(entry + 32, 1), "E_SIZE");
  EXPECT_EQ(byte(entry + 4, 22), "E_ALIGN");
  EXPECT_EQ(byte(entry + 5, 200), "E_CODE");
  EXPECT_EQ(byte(entry + 5, 1), "E_BLOCK");
  EXPECT_EQ(byte(entry + 6, 3), "E_BLOCK");
  EXPECT_EQ(byte(entry + 7, 1), "E_HEADER");
  EXPECT_EQ(byte(entry + 24, whole[entry + 24] + 1), "E_BLOCK");
  std::string twice = whole;
  twice.replace(footer - 2, 2, "ab");
  EXPECT_EQ(refusal(sealed(twice)), "E_DUPKEY");
  std::string gap = whole;
  gap.insert(entry, 64, '\0');
  set(gap, footer + 64, gap.size());
  EXPECT_EQ(refusal(sealed(gap)), "E_SIZE");
}

// Written by hand, as a big-endian machine or a later version would.
TEST_F(PoolStateTest, ForeignFilesAreNamed) {
  const std::string magic = "BNPOOL\r\n", rest(100, '\0');
  const auto file = [&](const std::string& marks) { return magic + marks + rest; };
  EXPECT_EQ(refusal(file(std::string("\x0A\x0B\x0C\x0D\0\0\0\1", 8))), "E_ENDIAN");
  EXPECT_EQ(refusal(file(std::string("\x0D\x0C\x0B\x0A\2\0\0\0", 8))), "E_VERSION");
  EXPECT_EQ(refusal(file(std::string("\x0D\x0C\x0B\x0A\1\0\0\0", 8))), "E_CHECKSUM");
  EXPECT_EQ(refusal("BNPOOLxx" + rest), "E_MAGIC");
}

TEST_F(PoolStateTest, MemoryIsNeverMoreThanTheFileJustifies) {
  save("a", {{"n", std::string(1 << 20, 'x'), 64, true}});
  const std::string whole = read("a");
  EXPECT_GE(whole.size() * 256, 1u << 20);
  MemoryPoolConfig config;
  config.max_bytes = 1 << 19;
  HybridMemoryPool small(config);
  try {
    load_pool_state(path("a"), small);
    FAIL() << "half a megabyte holds a whole one";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::out_of_memory);
  }
}

// The pool's cry for memory is the moment between the check of a block and its reading.
TEST_F(PoolStateTest, ShrinkingWhileItIsReadIsAnError) {
  for (const char fill : {'x', '\0'}) {  // what is gone reads as zeros, of which one block is made
    save("a", {{"n", std::string(1 << 20, fill), 64, false}});
    MemoryPoolConfig config;
    config.max_bytes = 1 << 20;
    HybridMemoryPool pool(config);
    MemoryHandle held = pool.allocate(4096);
    pool.set_failure_callback([&](std::size_t) {
      held = {};
      return ::truncate(path("a").c_str(), 4096) == 0;
    });
    EXPECT_EQ(kind_of([&] { load_pool_state(path("a"), pool); }), "E_IO");
    EXPECT_EQ(pool.metrics().live_bytes, 0u);
  }
}

TEST_F(PoolStateTest, EveryFailingCallKeepsTheOldFile) {
  const auto old = contents(1);
  auto fresh = contents(2);
  fresh.push_back({"large", pattern(5 << 20, 3), 64, false});
  save("a", old);
  for (const os::Call call : {os::Call::write_file, os::Call::sync_file, os::Call::rename_file}) {
    os::fail_call(call, 0);
    save("count", fresh);
    const int calls = os::calls_made(call);
    EXPECT_GE(calls, call == os::Call::write_file ? 5 : 1);
    for (int k = 1; k <= calls; ++k) {
      os::fail_call(call, k);
      EXPECT_EQ(kind_of([&] { save("a", fresh); }), "E_IO") << k;
      EXPECT_TRUE(same(load_pool_state(path("a"), pool_), old)) << k;
    }
    os::fail_call(call, 0);
  }
  EXPECT_EQ(files(), 2u);  // no temporary file is left
}

TEST_F(PoolStateTest, DyingInSaveKeepsTheOldFile) {
  const auto old = contents(1);
  auto fresh = contents(2);
  fresh.push_back({"large", pattern(3 << 20, 3), 64, false});
  save("a", old);
  for (const rlim_t bytes : {0u, 1u << 20, 3u << 20}) {
    dies([&] { save("a", fresh); }, bytes);
    EXPECT_TRUE(same(load_pool_state(path("a"), pool_), old));
  }
  for (int round = 0; round < 8; ++round) {
    killed_after(round * 500, [&] { save("a", fresh); });
    const auto got = load_pool_state(path("a"), pool_);
    EXPECT_TRUE(same(got, old) || same(got, fresh)) << round;
  }
}

}  // namespace
}  // namespace bitnet::storage
