// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/device_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/device/testing/scripted_device.h"
#include "bitnet/memory/device_pools.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet::memory {
namespace {

using testing::ScriptedDevice;
using testing::ScriptedDriver;

constexpr std::size_t kMiB = 1u << 20;
constexpr Stream kA{1}, kB{2};

DevicePool pool_of(ScriptedDevice& device, std::uint64_t max_bytes = 0) {
  return DevicePool(std::make_unique<ScriptedDriver>(device), max_bytes);
}

TEST(DevicePool, SizesShareSegmentsOfTheirKind) {
  ScriptedDevice device;
  DevicePool pool = pool_of(device);
  for (int i = 0; i < 4096; ++i) ASSERT_TRUE(pool.allocate(512, 64, kA));
  EXPECT_EQ(device.held_bytes(), 2 * kMiB) << "4096 blocks of 512 bytes are one small segment";
  ASSERT_TRUE(pool.allocate(1, 1, kA));
  EXPECT_EQ(device.held_bytes(), 4 * kMiB);
  ASSERT_TRUE(pool.allocate(kMiB, 64, kA));
  ASSERT_TRUE(pool.allocate(15 * kMiB, 64, kA));
  ASSERT_TRUE(pool.allocate(16 * kMiB - 512, 64, kA));
  EXPECT_EQ(device.held_bytes(), 36 * kMiB) << "blocks from 1 MiB share segments of 32 MiB";
  ASSERT_TRUE(pool.allocate(50 * kMiB, 64, kA));
  EXPECT_EQ(device.held_bytes(), 86 * kMiB);
  EXPECT_EQ(pool.metrics().committed_bytes, device.held_bytes());
  EXPECT_EQ(pool.metrics().live_bytes, 4097u * 512 + 82 * kMiB - 512);
  pool.validate();
}

TEST(DevicePool, BlocksAreAlignedUpTo2MiB) {
  ScriptedDevice device;
  DevicePool pool = pool_of(device);
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    const std::size_t alignment = std::size_t{1} << (i % 22);
    void* block = pool.allocate(1 + random() % (2 * kMiB), alignment, kA);
    ASSERT_TRUE(block);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u);
    pool.validate();
    ASSERT_TRUE(i % 3 == 0 || pool.free(block, kA));
  }
}

TEST(DevicePool, FreedBlockServesItsStreamAtOnceAndOthersAfterTheEvent) {
  ScriptedDevice device;
  DevicePool pool = pool_of(device);
  void* block = pool.allocate(20 * kMiB, 64, kA);
  ASSERT_TRUE(pool.free(block, kA));
  EXPECT_EQ(pool.allocate(20 * kMiB, 64, kA), block);
  ASSERT_TRUE(pool.free(block, kA));
  void* other = pool.allocate(20 * kMiB, 64, kB);
  ASSERT_TRUE(other);
  EXPECT_NE(other, block) << "stream A has not passed its event";
  device.complete(kA);
  EXPECT_EQ(pool.allocate(20 * kMiB, 64, kB), block);
  EXPECT_EQ(device.synchronize_calls(), 0u) << "nobody may be made to wait while memory is left";
  EXPECT_EQ(device.held_segments(), 2u);
}

TEST(DevicePool, BlocksOfSeveralStreamsWaitForAllOfThem) {
  ScriptedDevice device;
  DevicePool pool = pool_of(device);
  void* block = pool.allocate(20 * kMiB, 64, kA);
  pool.use_on(block, kB);
  pool.use_on(block, kB);
  ASSERT_TRUE(pool.free(block, kA));
  EXPECT_NE(pool.allocate(20 * kMiB, 64, kA), block) << "stream B may still use it";
  device.complete(kA);
  EXPECT_NE(pool.allocate(20 * kMiB, 64, kA), block);
  device.complete(kB);
  EXPECT_EQ(pool.allocate(20 * kMiB, 64, kA), block);
  // Freed by another stream than it was allocated for.
  ASSERT_TRUE(pool.free(block, kB));
  EXPECT_NE(pool.allocate(20 * kMiB, 64, kB), block) << "stream A may still use it";
  device.complete(kA);
  device.complete(kB);
  EXPECT_EQ(pool.allocate(20 * kMiB, 64, kB), block);
}

TEST(DevicePool, OutOfMemoryWaitsForFreesThenTrimsThenSaysSo) {
  ScriptedDevice device({.memory_bytes = 64 * kMiB, .latency = std::chrono::milliseconds(3)});
  DevicePool pool = pool_of(device);
  void* first = pool.allocate(40 * kMiB, 64, kA);
  ASSERT_TRUE(pool.free(first, kA));
  EXPECT_EQ(pool.allocate(40 * kMiB, 64, kB), first) << "waits for stream A";
  EXPECT_EQ(device.elapsed(), std::chrono::milliseconds(3));
  ASSERT_TRUE(pool.free(first, kB));
  void* larger = pool.allocate(60 * kMiB, 64, kA);
  EXPECT_TRUE(larger) << "the segment of 40 MiB goes back";
  EXPECT_EQ(device.held_bytes(), 60 * kMiB);
  EXPECT_FALSE(pool.allocate(8 * kMiB, 64, kA));
  EXPECT_TRUE(pool.allocate(4 * kMiB, 64, kA))
      << "a segment of 32 MiB does not fit, the block does";
  EXPECT_FALSE(pool.allocate(SIZE_MAX, 64, kA));
  EXPECT_FALSE(pool.allocate(SIZE_MAX / 2 + 1, 64, kA));
  EXPECT_FALSE(pool.allocate(SIZE_MAX / 2, 64, kA));
  pool.validate();
}

TEST(DevicePool, LimitIsHard) {
  ScriptedDevice device;
  DevicePool pool = pool_of(device, 10 * kMiB);
  std::vector<void*> blocks;
  while (void* block = pool.allocate(3 * kMiB, 64, kA)) blocks.push_back(block);
  EXPECT_EQ(blocks.size(), 3u);
  EXPECT_LE(device.held_bytes(), 10 * kMiB);
  EXPECT_EQ(pool.metrics().limit_bytes, 10 * kMiB);
  for (void* block : blocks) ASSERT_TRUE(pool.free(block, kA));
  EXPECT_TRUE(pool.allocate(10 * kMiB, 64, kB)) << "frees pass, segments go back";
  EXPECT_EQ(device.held_bytes(), 10 * kMiB);
  EXPECT_EQ(pool.metrics().peak_committed_bytes, 10 * kMiB);
}

TEST(DevicePool, DoubleAndForeignFreesAreFound) {
  ScriptedDevice device, second;
  DevicePool pool = pool_of(device), other = pool_of(second);
  auto* block = static_cast<std::byte*>(pool.allocate(4096, 64, kA));
  EXPECT_FALSE(other.free(block, kA));
  EXPECT_FALSE(pool.free(block + 512, kA));
  EXPECT_FALSE(pool.free(nullptr, kA));
  EXPECT_TRUE(pool.owns(block));
  EXPECT_TRUE(pool.free(block, kA));
  EXPECT_FALSE(pool.free(block, kA));
  EXPECT_FALSE(pool.owns(block));
  EXPECT_EQ(code_of([&] { pool.use_on(block, kB); }), Errc::invalid_argument);
  EXPECT_EQ(pool.metrics().live_bytes, 0u);
  pool.validate();
}

TEST(DevicePool, TrimKeepsToItsRequest) {
  ScriptedDevice device;
  DevicePool pool = pool_of(device);
  std::vector<void*> blocks;
  for (std::size_t size : {512u, 20u << 20, 40u << 20})
    blocks.push_back(pool.allocate(size, 64, kA));
  EXPECT_EQ(pool.trim(UINT64_MAX), 0u) << "all in use";
  for (void* block : blocks) ASSERT_TRUE(pool.free(block, kA));
  EXPECT_EQ(pool.trim(UINT64_MAX), 0u) << "stream A is not done";
  device.complete(kA);
  EXPECT_EQ(pool.trim(UINT64_MAX, 3'600'000), 0u) << "freed less than an hour ago";
  EXPECT_EQ(pool.trim(0), 0u);
  EXPECT_EQ(pool.trim(UINT64_MAX, 0, 30 * kMiB), 40 * kMiB);
  EXPECT_EQ(device.held_bytes(), 22 * kMiB);
  EXPECT_EQ(pool.trim(1), 2 * kMiB) << "stops when there is enough";
  EXPECT_EQ(pool.trim(UINT64_MAX), 20 * kMiB);
  EXPECT_EQ(device.held_bytes(), 0u);
  EXPECT_EQ(pool.metrics().committed_bytes, 0u);
}

// A random history of several streams beside a model: no block overlaps a live one, or one whose
// users another stream has not waited for. The device's memory cannot be touched by the host at
// all: a pool that did would end the test.
class DevicePoolHistory : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(DevicePoolHistory, NeverOverlapsWhatAStreamMayStillUse) {
  struct Live {
    std::byte* address;
    std::size_t bytes;
    Stream stream;
    std::vector<Stream> users;
  };
  struct Freed {
    std::byte* address;
    std::size_t bytes;
    std::vector<std::pair<Stream, Event>> users;
  };
  ScriptedDevice device({.memory_bytes = 96 * kMiB});
  ScriptedDriver clock(device);  // the model's own events of the same streams
  std::vector<Live> live;
  std::vector<Freed> freed;
  std::uint64_t refused = 0, served = 0;
  {
    DevicePool pool = pool_of(device);
    std::mt19937 random(GetParam());
    const auto any_stream = [&] { return Stream{random() % 3}; };
    for (int step = 0; step < (kSanitized ? 1500 : 6000); ++step) {
      const auto kind = random() % 20;
      if (kind < 9) {
        const std::size_t most = std::size_t{512} << (random() % 16);
        const std::size_t bytes = 1 + random() % most;
        const std::size_t alignment = std::size_t{1} << (random() % 22);
        const Stream stream = any_stream();
        auto* block = static_cast<std::byte*>(pool.allocate(bytes, alignment, stream));
        (block ? served : refused) += 1;
        if (!block) continue;
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u);
        for (const Live& other : live)
          ASSERT_TRUE(block + bytes <= other.address || other.address + other.bytes <= block);
        for (const Freed& old : freed) {
          if (block >= old.address + old.bytes || old.address >= block + bytes) continue;
          for (const auto& [user, event] : old.users)
            ASSERT_TRUE(user == stream || clock.is_done(event))
                << "stream " << stream.id << " took what stream " << user.id << " may use";
        }
        live.push_back({block, bytes, stream, {}});
      } else if (kind < 16 && !live.empty()) {
        std::swap(live[random() % live.size()], live.back());
        Live block = live.back();
        live.pop_back();
        const Stream by = random() % 4 == 0 ? any_stream() : block.stream;
        Freed old{block.address, block.bytes, {}};
        block.users.push_back(block.stream);
        block.users.push_back(by);
        for (const Stream user : block.users) old.users.emplace_back(user, clock.record(user));
        ASSERT_TRUE(pool.free(block.address, by));
        ASSERT_FALSE(pool.free(block.address, by));
        freed.push_back(std::move(old));
      } else if (kind == 16 && !live.empty()) {
        Live& block = live[random() % live.size()];
        block.users.push_back(any_stream());
        pool.use_on(block.address, block.users.back());
      } else if (kind == 17) {
        device.complete(any_stream());
        std::erase_if(freed, [&](const Freed& old) {
          for (const auto& [user, event] : old.users)
            if (!clock.is_done(event)) return false;
          for (const auto& [user, event] : old.users) clock.release(event);
          return true;
        });
      } else if (kind == 18 && random() % 8 == 0) {
        pool.trim(random() % 2 == 0 ? UINT64_MAX : 1);
      }
      if (step % 16 == 0) pool.validate();
    }
    for (const Live& block : live) ASSERT_TRUE(pool.free(block.address, block.stream));
    device.be_synchronous();
    pool.trim(UINT64_MAX);
    EXPECT_EQ(device.held_bytes(), 0u) << "what is free joins to whole segments";
    EXPECT_EQ(pool.metrics().committed_bytes, 0u);
    pool.validate();
  }
  for (const Freed& old : freed)
    for (const auto& [user, event] : old.users) clock.release(event);
  EXPECT_EQ(device.live_events(), 0u);
  EXPECT_EQ(device.misuse(), "");
  EXPECT_GT(served, 100u);
  EXPECT_GT(refused, 0u) << "the history reaches the device's limit";
}
INSTANTIATE_TEST_SUITE_P(Seeds, DevicePoolHistory, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace bitnet::memory
