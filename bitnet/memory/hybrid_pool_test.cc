// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/hybrid_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/cleanup/manager.h"
#include "bitnet/memory/memory_testing.h"
#include "bitnet/memory/tracking/detailed_metrics.h"

namespace bitnet {
namespace {

// A device that refuses large blocks and counts what it holds.
class CountingDriver final : public Driver {
 public:
  explicit CountingDriver(int* live) : live_(live) {}
  Device device() const noexcept override { return {DeviceKind::cuda, 3}; }
  void* allocate(std::size_t bytes, std::size_t) noexcept override {
    if (bytes > (4u << 20)) return nullptr;
    ++*live_;
    return ::operator new (bytes, std::align_val_t{4096});
  }
  void deallocate(void* memory, std::size_t, std::size_t) noexcept override {
    --*live_;
    ::operator delete (memory, std::align_val_t{4096});
  }
  void copy(void* to, const void* from, std::size_t bytes, Stream) override {
    std::memcpy(to, from, bytes);
  }

 private:
  int* live_;
};

TEST(HybridMemoryPool, EverySizeAndAlignmentIsAlignedWritableAndCounted) {
  HybridMemoryPool pool;
  std::mt19937 random(1);
  std::vector<MemoryHandle> live;
  std::uint64_t bytes = 0, peak = 0, total = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t size = random() % (i % 10 == 0 ? 3'000'000 : 5000);
    const std::size_t alignment = std::size_t{1} << (random() % 22);
    MemoryHandle h = pool.allocate(size, alignment);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(h.data()) % alignment, 0u);
    ASSERT_EQ(h.size_bytes(), size);
    std::memset(h.data(), i & 255, size);
    bytes += size;
    total += size;
    peak = std::max(peak, bytes);
    live.push_back(std::move(h));
    if (live.size() > 40) {
      const std::size_t k = random() % live.size();
      bytes -= live[k].size_bytes();
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(k));
    }
    const MemoryMetrics m = pool.metrics();
    ASSERT_EQ(m.live_bytes, bytes);
    ASSERT_EQ(m.peak_bytes, peak);
    ASSERT_EQ(m.live_blocks, live.size());
    ASSERT_EQ(m.total_allocations, static_cast<std::uint64_t>(i) + 1);
    ASSERT_EQ(m.total_bytes, total);
    ASSERT_GE(m.small.committed_bytes + m.large.committed_bytes, bytes);
  }
  live.clear();
  EXPECT_EQ(pool.metrics().live_bytes, 0u);
  pool.validate();
}

TEST(HybridMemoryPool, BlocksDoNotOverlap) {
  HybridMemoryPool pool;
  std::vector<MemoryHandle> live;
  for (int i = 0; i < 200; ++i) {
    live.push_back(pool.allocate(static_cast<std::size_t>(i) * 700, 64));
    std::memset(live.back().data(), i, live.back().size_bytes());
  }
  for (std::size_t i = 0; i < live.size(); ++i)
    for (std::size_t k = 0; k < live[i].size_bytes(); ++k)
      ASSERT_EQ(live[i].data()[k], static_cast<std::byte>(i));
}

TEST(HybridMemoryPool, LimitIsHardAndFailureLosesNothing) {
  MemoryPoolConfig config;
  config.max_bytes = 1000;
  HybridMemoryPool pool(config);
  MemoryHandle a = pool.allocate(600);
  EXPECT_FALSE(pool.try_allocate(401));
  EXPECT_EQ(code_of([&] { pool.allocate(401); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { pool.allocate(SIZE_MAX); }), Errc::out_of_memory);
  MemoryHandle b = pool.allocate(400);
  EXPECT_EQ(pool.metrics().live_bytes, 1000u);
  EXPECT_EQ(pool.metrics().peak_bytes, 1000u);
  EXPECT_EQ(pool.metrics().failed_allocations, 3u);
}

TEST(HybridMemoryPool, HugeRequestWithoutLimitIsOutOfMemoryNotACrash) {
  HybridMemoryPool pool;
  EXPECT_EQ(code_of([&] { pool.allocate(SIZE_MAX); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { pool.allocate(std::size_t{1} << 60); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { pool.allocate_raw(SIZE_MAX); }), Errc::out_of_memory);
}

TEST(HybridMemoryPool, ConfigsThatMeanNothingAreRefusedByName) {
  const auto message = [](auto change) -> std::string {
    MemoryPoolConfig config;
    change(config);
    try {
      HybridMemoryPool pool(config);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message([](MemoryPoolConfig&) {}), "");
  EXPECT_NE(message([](auto& c) {
              c.initial_small_bytes = c.max_small_bytes + 1;
            }).find("initial_small_bytes"),
            std::string::npos);
  EXPECT_NE(message([](auto& c) {
              c.initial_large_bytes = c.max_large_bytes + 1;
            }).find("initial_large_bytes"),
            std::string::npos);
  EXPECT_NE(message([](auto& c) { c.max_small_bytes = 0; }).find("max_small_bytes"),
            std::string::npos);
  EXPECT_NE(message([](auto& c) { c.max_large_bytes = UINT64_MAX; }).find("max_large_bytes"),
            std::string::npos);
  EXPECT_NE(message([](auto& c) { c.numa_node = -1; }).find("numa_node"), std::string::npos);
}

TEST(HybridMemoryPool, InitialSizesOpenAddressSpaceAndMaximaBoundIt) {
  MemoryPoolConfig config;
  const auto space = [&] {
    HybridMemoryPool pool(config);
    const MemoryMetrics m = pool.metrics();
    return std::pair(m.small.free_bytes, m.large.free_bytes);
  };
  config.initial_small_bytes = 0;
  config.initial_large_bytes = 0;
  EXPECT_EQ(space(), std::pair(std::uint64_t{0}, std::uint64_t{0}));
  config.initial_small_bytes = 1;
  EXPECT_EQ(space().first, 0u);  // less than a unit
  config.initial_small_bytes = 64u << 20;
  config.initial_large_bytes = 300u << 20;
  EXPECT_EQ(space(), std::pair(std::uint64_t{256} << 20, std::uint64_t{512} << 20));
  config.max_large_bytes = 300u << 20;
  HybridMemoryPool pool(config);
  EXPECT_EQ(pool.metrics().large.limit_bytes, 300u << 20);
  EXPECT_FALSE(pool.try_allocate(301u << 20));
  EXPECT_TRUE(pool.try_allocate(200u << 20));
}

TEST(HybridMemoryPool, MisuseIsRefused) {
  HybridMemoryPool pool, other;
  EXPECT_EQ(code_of([&] { pool.allocate(8, 3); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { pool.allocate(8, 64, {DeviceKind::metal, 0}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { pool.deallocate(MemoryHandle{}); }), Errc::invalid_argument);
  MemoryHandle h = other.allocate(8);
  EXPECT_EQ(code_of([&] { pool.deallocate(std::move(h)); }), Errc::invalid_argument);
  EXPECT_EQ(other.metrics().live_blocks, 1u);
  other.deallocate(std::move(h));
  EXPECT_EQ(other.metrics().live_blocks, 0u);
  EXPECT_EQ(code_of([&] { other.deallocate(std::move(h)); }), Errc::invalid_argument);
  int local = 0;
  EXPECT_EQ(code_of([&] { pool.deallocate_raw(&local, 4); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { MovableHandle().pin(); }), Errc::invalid_argument);
}

TEST(HybridMemoryPool, StaleDoubleAndForeignHandlesAreAlwaysFound) {
  HybridMemoryPool pool, other;
  const HandleId first = pool.allocate(100).release();
  const HandleId unknown{first.index + 5000, 1, first.pool};
  EXPECT_EQ(code_of([&] { pool.free_id(unknown); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { pool.free_id({UINT32_MAX, 1, first.pool}); }), Errc::invalid_argument);
  // A live block of the other pool at the same place, in the same life.
  const MemoryHandle same = other.allocate(100);
  ASSERT_EQ(same.id().index, first.index);
  ASSERT_EQ(same.id().generation, first.generation);
  EXPECT_EQ(code_of([&] { other.free_id(first); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { other.adopt(first); }), Errc::invalid_argument);
  EXPECT_EQ(other.metrics().live_blocks, 1u);
  EXPECT_EQ(code_of([&] {
              pool.free_id({first.index, first.generation + 1, first.pool});
            }),
            Errc::invalid_argument);
  pool.free_id(first);
  EXPECT_EQ(code_of([&] { pool.free_id(first); }), Errc::invalid_argument);
  // The same slot in its next life: the old number must not free the new block.
  MemoryHandle next = pool.allocate(100);
  EXPECT_EQ(next.id().index, first.index);
  EXPECT_EQ(code_of([&] { pool.free_id(first); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { pool.adopt(first); }), Errc::invalid_argument);
  EXPECT_EQ(pool.metrics().live_blocks, 1u);
  const HandleId id = next.release();
  const MemoryHandle adopted = pool.adopt(id);
  EXPECT_EQ(adopted.size_bytes(), 100u);
}

TEST(HybridMemoryPool, OneOfManyThreadsThatFreeAnIdSucceeds) {
  HybridMemoryPool pool;
  for (int round = 0; round < 200; ++round) {
    const HandleId id = pool.allocate(64).release();
    std::atomic<int> freed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&] {
        try {
          pool.free_id(id);
          ++freed;
        } catch (const Error&) {
        }
      });
    for (auto& t : threads) t.join();
    ASSERT_EQ(freed, 1);
  }
  EXPECT_EQ(pool.metrics().live_bytes, 0u);
}

TEST(HybridMemoryPool, AnotherDeviceComesInThroughItsDriver) {
  int live = 0;
  {
    HybridMemoryPool pool;
    const Device device{DeviceKind::cuda, 3};
    pool.add_driver(std::make_unique<CountingDriver>(&live));
    EXPECT_EQ(code_of([&] { pool.add_driver(std::make_unique<CountingDriver>(&live)); }),
              Errc::invalid_argument);
    {
      const MemoryHandle h = pool.allocate(100, 64, device);
      EXPECT_EQ(live, 1);
      EXPECT_TRUE(pool.owns(h.data()));
      EXPECT_EQ(pool.metrics().devices.at(1).live_bytes, 100u);
      EXPECT_EQ(code_of([&] { pool.allocate(5u << 20, 64, device); }), Errc::out_of_memory);
      EXPECT_EQ(pool.metrics().devices.at(1).failed_allocations, 1u);
    }
    EXPECT_EQ(pool.metrics().devices.at(1).live_bytes, 0u);
    EXPECT_EQ(live, 1) << "the segment waits for the next block";
    TrimRequest request;
    request.device = device;
    EXPECT_EQ(pool.trim(request).bytes_returned, 2u << 20);
    EXPECT_EQ(live, 0);
    pool.allocate(100, 64, device);
  }
  EXPECT_EQ(live, 0);
}

TEST(HybridMemoryPool, RawBlocksAreCountedByLevel) {
  HybridMemoryPool pool;
  EXPECT_EQ(pool.tracking_level(), TrackingLevel::basic);
  void* counted = pool.allocate_raw(1000);
  EXPECT_EQ(pool.metrics().live_bytes, 1000u);
  EXPECT_EQ(pool.metrics().live_blocks, 1u);
  pool.set_tracking_level(TrackingLevel::none);
  void* unseen = pool.allocate_raw(500);
  EXPECT_EQ(pool.metrics().live_bytes, 1000u);
  const MemoryHandle handle = pool.allocate(70);
  EXPECT_EQ(pool.metrics().live_bytes, 1070u) << "handles are counted at every level";
  pool.deallocate_raw(unseen, 500);
  pool.set_tracking_level(TrackingLevel::standard);
  std::vector<void*> many;
  for (int i = 0; i < 100; ++i) many.push_back(pool.allocate_raw(20'000));
  EXPECT_EQ(pool.metrics().live_bytes, 1070u + 2'000'000u);
  std::uint64_t in_class = 0;
  for (const ClassMetrics& c : pool.metrics().classes)
    if (c.block_bytes >= 20'000 && c.block_bytes < 22'500) in_class += c.allocations;
  EXPECT_EQ(in_class, 100u);
  for (void* block : many) pool.deallocate_raw(block, 20'000);
  pool.deallocate_raw(counted, 1000);
  const MemoryMetrics m = pool.metrics();
  EXPECT_EQ(m.live_bytes, 70u);
  EXPECT_GE(m.peak_bytes, 2'000'000u - (256u << 10)) << "exact to 256 KiB a thread";
  EXPECT_LE(m.peak_bytes, 2'001'070u);
  EXPECT_EQ(code_of([&] { pool.set_tracking_level(TrackingLevel::detailed); }), Errc::unsupported);
}

TEST(HybridMemoryPool, APoolWhoseEventsAreTrackedEndsBeforeItsThreads) {
  std::mutex mutex;
  std::condition_variable changed;
  int step = 0;
  const auto reach = [&](int now) {
    const std::lock_guard lock(mutex);
    step = now;
    changed.notify_all();
  };
  const auto await = [&](int wanted) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return step == wanted; });
  };
  MemoryPoolConfig config;
  config.enable_advanced_tracking = true;
  config.tracking_config = TrackingConfig::detailed();
  auto pool = std::make_unique<HybridMemoryPool>(config);
  std::thread thread([&] {
    { const MemoryHandle handle = pool->allocate(5000); }
    pool->deallocate_raw(pool->allocate_raw(100), 100);
    reach(1);
    await(2);
  });
  await(1);
  { const MemoryHandle handle = pool->allocate(4096); }
  EXPECT_EQ(pool->detailed_metrics()->events.lost, 0u);
  pool.reset();
  reach(2);
  thread.join();
}

TEST(HybridMemoryPool, OneThatCannotBeginLeavesNothing) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  MemoryPoolConfig config;
  config.enable_advanced_tracking = true;
  config.enable_automatic_cleanup = true;
  os::fail_call(os::Call::start_thread, 1);
  EXPECT_EQ(code_of([&] { HybridMemoryPool pool(config); }), Errc::out_of_memory);
  os::fail_call(os::Call::start_thread, 0);
  // A fork asks every pool that lives.
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  HybridMemoryPool pool(config);
  EXPECT_TRUE(pool.cleanup().running());
}

TEST(HybridMemoryPool, PmrContainersLiveInIt) {
  HybridMemoryPool pool;
  {
    std::pmr::map<int, std::pmr::string> map(pool.resource());
    for (int i = 0; i < 1000; ++i) map.emplace(i, std::string(static_cast<std::size_t>(i), 'x'));
    EXPECT_TRUE(pool.owns(&*map.begin()) || pool.metrics().live_blocks >= 1000u);
    EXPECT_EQ(map.at(999).size(), 999u);
  }
  EXPECT_EQ(pool.metrics().live_blocks, 0u);
}

TEST(HybridMemoryPool, FragmentationSaysWhatItMeans) {
  MemoryPoolConfig config;
  config.max_large_bytes = 256u << 20;
  HybridMemoryPool pool(config);
  std::vector<MemoryHandle> all;
  for (int i = 0; i < 128; ++i) all.push_back(pool.allocate(2u << 20));
  EXPECT_EQ(pool.metrics().large.fragmentation(), 0.0);
  for (std::size_t i = 0; i < all.size(); i += 2) all[i] = {};
  pool.trim();
  // 64 holes of 2 MiB: the largest is a 64th of what is free in the first arena.
  const PartMetrics holes = pool.metrics().large;
  EXPECT_GT(holes.fragmentation(), 0.3);
  EXPECT_EQ(holes.fragmentation(), 1.0 - static_cast<double>(holes.largest_free_bytes) /
                                             static_cast<double>(holes.free_bytes));
  std::uint64_t used = 0, free = 0;
  for (const FragmentationRange& range : pool.fragmentation_map())
    (range.state == RangeState::used ? used : free) += range.bytes;
  EXPECT_EQ(used, 64u * (2u << 20));
  EXPECT_EQ(free, pool.metrics().small.free_bytes + holes.free_bytes);
  all.clear();
  pool.trim();
  const PartMetrics empty = pool.metrics().large;
  EXPECT_EQ(empty.largest_free_bytes, 256u << 20) << "an emptied arena is one block again";
}

TEST(HybridMemoryPool, TrimSaysWhatTheSystemGotBackAndNoMore) {
  HybridMemoryPool pool;
  std::vector<MemoryHandle> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(pool.allocate(300'000));
  for (int i = 0; i < 50; ++i) std::memset(blocks[static_cast<std::size_t>(i)].data(), 1, 300'000);
  blocks.resize(10);
  // 40 of the 90 freed blocks were ever written.
  const std::uint64_t returned = pool.trim().bytes_returned;
  EXPECT_GE(returned, 39u * 290'000);
  EXPECT_LE(returned, 42u * 310'000);
  EXPECT_EQ(pool.trim().bytes_returned, 0u) << "nothing is left to return";
  blocks.clear();
  const std::uint64_t rest = pool.trim().bytes_returned;
  EXPECT_GE(rest, 10u * 290'000);
  EXPECT_LE(rest, 12u * 310'000) << "pages that went back before count once";
}

TEST(HybridMemoryPool, HugeNumaAndLockedPagesAreAskedFor) {
  // AddressSanitizer makes munlock() do nothing.
  if (memory::kPoisoning) GTEST_SKIP() << "locked pages cannot be unlocked under AddressSanitizer";
  BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT();
  MemoryPoolConfig config;
  config.numa_node = 0;
  config.lock_memory = true;
  HybridMemoryPool pool(config);
  MemoryHandle h = pool.allocate(8u << 20);
  std::memset(h.data(), 1, h.size_bytes());
  const void* pages = h.data();
  h = {};
  // Locked pages refuse to be given back unless they are unlocked first. Asked of these pages
  // alone: an emulator's own memory grows by 2 MiB at times.
  ASSERT_EQ(os::resident_bytes(pages, 8u << 20), 8u << 20);
  EXPECT_GE(pool.trim().bytes_returned, 8u << 20);
  EXPECT_EQ(os::resident_bytes(pages, 8u << 20), 0u);
}

TEST(HybridMemoryPool, ThreadsMayShareIt) {
  HybridMemoryPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&pool, t] {
      std::vector<MemoryHandle> live;
      for (int i = 0; i < 2000; ++i) {
        live.push_back(pool.allocate(static_cast<std::size_t>(64 + i)));
        std::memset(live.back().data(), t, 64);
        if (live.size() > 8) live.erase(live.begin());
        ASSERT_EQ(live.front().data()[5], static_cast<std::byte>(t));
        if (i % 500 == 0) {
          pool.validate();
          pool.metrics();
        }
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(pool.metrics().live_blocks, 0u);
  EXPECT_EQ(pool.metrics().total_allocations, 8000u);
}

}  // namespace
}  // namespace bitnet
