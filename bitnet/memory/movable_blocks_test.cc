// SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/cleanup/manager.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet {
namespace {

void fill(const MovableHandle& handle, std::uint32_t seed) {
  const Pin pin = handle.pin();
  std::minstd_rand random(seed);
  for (std::size_t i = 0; i < pin.size_bytes(); ++i)
    pin.data()[i] = static_cast<std::byte>(random());
}

bool holds(const MovableHandle& handle, std::uint32_t seed) {
  const Pin pin = handle.pin();
  std::minstd_rand random(seed);
  for (std::size_t i = 0; i < pin.size_bytes(); ++i)
    if (pin.data()[i] != static_cast<std::byte>(random())) return false;
  return true;
}

struct Tagged {
  MovableHandle handle;
  std::uint32_t seed;
};

// Blocks of every kind of size; four of five go.
std::vector<Tagged> sparse(HybridMemoryPool& pool, std::size_t bytes) {
  std::mt19937 random(5);
  std::vector<Tagged> all;
  for (std::size_t held = 0; held < bytes;) {
    const std::size_t high = std::size_t{64} << (random() % 12);
    const std::size_t size = high + random() % high;
    all.push_back({pool.allocate_movable(size), static_cast<std::uint32_t>(all.size() + 1)});
    fill(all.back().handle, all.back().seed);
    held += size;
  }
  std::erase_if(all, [&](const Tagged&) { return random() % 5 != 0; });
  return all;
}

std::size_t live_bytes(const std::vector<Tagged>& blocks) {
  std::size_t sum = 0;
  for (const Tagged& b : blocks) sum += b.handle.size_bytes();
  return sum;
}

TEST(MovableBlocks, CompactionPacksLiveBlocksAndReturnsTheRest) {
  BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT();
  MemoryPoolConfig config;
  HybridMemoryPool pool(config);
  const std::uint64_t before = os::memory_info().resident_bytes;
  std::vector<Tagged> live = sparse(pool, 200u << 20);
  const std::size_t bytes = live_bytes(live);
  ASSERT_GT(os::memory_info().resident_bytes - before, 4 * bytes);
  pool.trim();
  const std::uint64_t trimmed = os::memory_info().resident_bytes - before;
  CompactRequest request;
  request.validate = true;
  const CleanupResult result = pool.compact(request);
  const std::uint64_t compacted = os::memory_info().resident_bytes - before;
  EXPECT_GT(result.blocks_moved, 200u);
  EXPECT_TRUE(result.complete);
  EXPECT_LE(compacted, trimmed);
  // Two MiB for what the test itself and its handles take.
  EXPECT_LT(static_cast<double>(compacted), 1.05 * static_cast<double>(bytes) + (2u << 20));
  for (const Tagged& b : live) ASSERT_TRUE(holds(b.handle, b.seed));
  pool.validate();
  live.clear();
  EXPECT_EQ(pool.metrics().live_bytes, 0u);
}

TEST(MovableBlocks, PinnedBlocksStayWhereTheyAre) {
  HybridMemoryPool pool;
  std::vector<Tagged> live = sparse(pool, 40u << 20);
  std::vector<Pin> pins;
  for (std::size_t i = 0; i < live.size(); i += 2) pins.push_back(live[i].handle.pin());
  EXPECT_EQ(live[0].handle.pin_count(), 1u);
  std::vector<std::byte*> places;
  for (const Pin& pin : pins) places.push_back(pin.data());
  EXPECT_GT(pool.compact().blocks_moved, 5u);
  for (std::size_t i = 0; i < pins.size(); ++i) {
    const Pin again = live[2 * i].handle.pin();
    ASSERT_EQ(again.data(), places[i]);
  }
  for (const Tagged& b : live) ASSERT_TRUE(holds(b.handle, b.seed));
  pins.clear();
  EXPECT_EQ(live[0].handle.pin_count(), 0u);
}

TEST(MovableBlocks, LargeBlocksMoveTogetherSoThatALargerOneFits) {
  MemoryPoolConfig config;
  config.max_large_bytes = 256u << 20;
  config.initial_large_bytes = 0;
  for (const bool remap : {true, false}) {
    HybridMemoryPool pool(config);
    // 16 blocks of 8 MiB with holes of 8 MiB between them.
    std::vector<Tagged> live;
    std::vector<MovableHandle> holes;
    for (std::uint32_t i = 0; i < 16; ++i) {
      live.push_back({pool.allocate_movable(8u << 20), i + 1});
      const Pin pin = live.back().handle.pin();
      std::memset(pin.data(), static_cast<int>(i + 1), pin.size_bytes());
      holes.push_back(pool.allocate_movable(8u << 20));
    }
    holes.clear();
    pool.trim();
    if (!remap) os::fail_call(os::Call::move_memory, 1);  // the first move is a copy
    const PartMetrics before = pool.metrics().large;
    const CleanupResult result = pool.compact();
    const PartMetrics after = pool.metrics().large;
    EXPECT_GE(result.blocks_moved, 7u);
    EXPECT_EQ(result.bytes_moved, result.blocks_moved * (8u << 20));
    EXPECT_LT(after.fragmentation(), before.fragmentation());
    EXPECT_GE(after.largest_free_bytes, 128u << 20);
    for (const Tagged& b : live) {
      const Pin pin = b.handle.pin();
      for (std::size_t k = 0; k < pin.size_bytes(); k += 4093)
        ASSERT_EQ(pin.data()[k], static_cast<std::byte>(b.seed));
    }
    os::fail_call(os::Call::move_memory, 0);
    pool.validate();
  }
}

TEST(MovableBlocks, AForkWaitsForWhatMovesThem) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  HybridMemoryPool pool;
  std::vector<MovableHandle> blocks;
  for (int i = 0; i < 400; ++i) {
    blocks.push_back(pool.allocate_movable(20'000));
    std::memset(blocks.back().pin().data(), i & 127, 20'000);
  }
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    while (!stop) {
      pool.compress({});
      pool.cleanup().run(CleanupKind::pressure);
      for (const MovableHandle& block : blocks) block.pin();
    }
  });
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // one that hangs ends by a signal
      for (int i = 0; i < 400; i += 7)
        if (blocks[static_cast<std::size_t>(i)].pin().data()[100] !=
            static_cast<std::byte>(i & 127))
          _exit(1);
      _exit(pool.cleanup().run(CleanupKind::pressure).error.empty() ? 0 : 2);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << round;
  }
  stop = true;
  mover.join();
}

TEST(MovableBlocks, WhatDoesNotPackIsTriedAgainOnceItWasUsed) {
  HybridMemoryPool pool;
  const MovableHandle handle = pool.allocate_movable(1u << 16);
  {
    const Pin pin = handle.pin();
    std::mt19937 random(5);
    for (std::size_t i = 0; i < pin.size_bytes(); ++i)
      pin.data()[i] = static_cast<std::byte>(random());
  }
  pool.compress({});
  pool.compress({});
  EXPECT_EQ(pool.metrics().compression.refused, 1u);
  std::memset(handle.pin().data(), 1, 1u << 16);
  EXPECT_EQ(pool.compress({}).blocks_compressed, 1u);
  const CompressionMetrics packed = pool.metrics().compression;
  EXPECT_EQ(packed.blocks, 1u);
  EXPECT_GT(packed.ratio(), 4.5);
  EXPECT_GT(packed.compress_ns, 0u);
  EXPECT_EQ(handle.pin().data()[77], std::byte{1});
  EXPECT_EQ(pool.metrics().compression.unpacked, 1u);
}

TEST(MovableBlocks, AnUnpinnedBlockIsCompressedAndComesBackWhenPinned) {
  BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT();
  HybridMemoryPool pool;
  MovableHandle zeros = pool.allocate_movable(8u << 20);
  std::memset(zeros.pin().data(), 0, zeros.size_bytes());
  MovableHandle pinned = pool.allocate_movable(4u << 20);
  const Pin pin = pinned.pin();
  std::memset(pin.data(), 1, pin.size_bytes());
  const std::uint64_t before = os::memory_info().resident_bytes;
  const CleanupResult result = pool.compress();
  EXPECT_EQ(result.blocks_compressed, 1u);
  EXPECT_TRUE(zeros.is_compressed());
  EXPECT_FALSE(pinned.is_compressed());
  EXPECT_LT(os::memory_info().resident_bytes + (6u << 20), before);
  {
    const Pin again = zeros.pin();
    EXPECT_FALSE(zeros.is_compressed());
    for (std::size_t i = 0; i < again.size_bytes(); i += 511)
      ASSERT_EQ(again.data()[i], std::byte{0});
  }
  CompressRequest old;
  old.min_age = std::chrono::hours(1);
  EXPECT_EQ(pool.compress(old).blocks_compressed, 0u);
  pool.compress();
  EXPECT_EQ(pool.metrics().live_bytes, 12u << 20) << "a compressed block is live";
  zeros = {};
  EXPECT_EQ(pool.metrics().live_bytes, 4u << 20);
}

TEST(MovableBlocks, TheWayOutOfMemoryTakesEachStepAndCountsIt) {
  MemoryPoolConfig config;
  config.max_large_bytes = 64u << 20;
  config.initial_large_bytes = 0;
  HybridMemoryPool pool(config);
  MovableHandle packable = pool.allocate_movable(40u << 20);
  std::memset(packable.pin().data(), 3, packable.size_bytes());
  // 24 MiB are left; compressing the first block makes room.
  MemoryHandle second = pool.allocate(50u << 20);
  const PressureSteps one = pool.metrics().pressure;
  EXPECT_EQ(one.trims, 1u);
  EXPECT_EQ(one.compactions, 1u);
  EXPECT_EQ(one.compressions, 1u);
  EXPECT_EQ(one.compressed_blocks, 1u);
  EXPECT_EQ(one.failures, 0u);
  EXPECT_TRUE(packable.is_compressed());
  int calls = 0;
  pool.set_failure_callback([&](std::size_t bytes) {
    EXPECT_EQ(bytes, 30u << 20);
    if (++calls == 1) return false;
    second = {};
    return true;
  });
  EXPECT_FALSE(pool.try_allocate(30u << 20));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(pool.metrics().pressure.failures, 1u);
  EXPECT_TRUE(pool.try_allocate(30u << 20));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(pool.metrics().pressure.callbacks, 2u);
  pool.set_failure_callback([](std::size_t) -> bool { throw 1; });
  EXPECT_FALSE(pool.try_allocate(65u << 20)) << "what a callback throws ends nothing";
}

TEST(MovableBlocks, ThreadsPinAllocateAndFreeWhileAnotherCompactsAndCompresses) {
  HybridMemoryPool pool;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      std::vector<Tagged> mine;
      for (int i = 0; i < 1500; ++i) {
        const std::size_t bytes = std::size_t{64} << (random() % 10);
        mine.push_back({pool.allocate_movable(bytes), static_cast<std::uint32_t>(random())});
        fill(mine.back().handle, mine.back().seed);
        const std::size_t k = random() % mine.size();
        ASSERT_TRUE(holds(mine[k].handle, mine[k].seed));
        if (mine.size() > 50) mine.erase(mine.begin() + static_cast<long>(random() % 50));
      }
    });
  std::thread cleaner([&] {
    while (!stop) {
      pool.compact();
      pool.compress();
    }
  });
  for (auto& t : threads) t.join();
  stop = true;
  cleaner.join();
  EXPECT_EQ(pool.metrics().live_bytes, 0u);
  pool.validate();
}

TEST(MovableBlocks, DeadlinesAndMaximaAreKept) {
  HybridMemoryPool pool;
  std::vector<Tagged> live = sparse(pool, 40u << 20);
  CompactRequest few;
  few.max_blocks = 10;
  const CleanupResult some = pool.compact(few);
  EXPECT_FALSE(some.complete);
  EXPECT_LE(some.blocks_moved, 10u + 64u);
  CompactRequest late;
  late.deadline = CleanupClock::now();
  EXPECT_EQ(pool.compact(late).blocks_moved, 0u);
  TrimRequest little;
  little.max_bytes = 1u << 20;
  EXPECT_LE(pool.trim(little).bytes_returned, 2u << 20);
  for (const Tagged& b : live) ASSERT_TRUE(holds(b.handle, b.seed));
}

}  // namespace
}  // namespace bitnet
