// SPDX-License-Identifier: MIT OR Apache-2.0
// Defects of the predecessor that tests of single parts do not show; docs/DEFECTS.md has them all.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bitnet/base/os/memory.h"
#include "bitnet/memory/host_pool.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/memory/memory_testing.h"
#include "bitnet/memory/tracking/detailed_metrics.h"
#include "bitnet/memory/tracking/profiler.h"
#include "bitnet/memory/tracking/report.h"
#include "bitnet/memory/tracking/tracker.h"

namespace bitnet {
namespace {

using memory::HostPool;
using memory::kArenaBytes;
using memory::kSanitized;

// A thread inside a call lets another one work and waits until that is done: where the two need one
// lock, the work is not done in time.
struct Meeting {
  std::promise<void> begin, done;
  bool asked = false, met = false;
  void hold() {
    if (std::exchange(asked, true)) return;
    begin.set_value();
    met = done.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  }
  /// In the other thread.
  void work(auto&& what) {
    begin.get_future().wait();
    what();
    done.set_value();
  }
};

TEST(Predecessor, EverySizeFromNoneToBeyondAGibibyteIsServedAndComesBack) {
  HybridMemoryPool pool;
  for (std::size_t power = 1; power <= (std::size_t{1} << (kSanitized ? 28 : 30)); power *= 2)
    for (const std::size_t bytes : {power - 1, power, power + 1, power + power / 2})
      for (std::size_t alignment = 1; alignment <= (2u << 20); alignment *= 8) {
        std::optional<MemoryHandle> handle = pool.try_allocate(bytes, alignment);
        ASSERT_TRUE(handle) << bytes << " at " << alignment;
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(handle->data()) % alignment, 0u);
        ASSERT_EQ(handle->size_bytes(), bytes);
        if (bytes > 0) handle->data()[0] = handle->data()[bytes - 1] = std::byte{1};
        ASSERT_EQ(pool.metrics().live_blocks, 1u);
        ASSERT_NO_THROW(pool.deallocate(std::move(*handle))) << bytes << " at " << alignment;
        ASSERT_EQ(pool.metrics().live_blocks, 0u);
      }
}

TEST(Predecessor, WhatOneSizeGaveBackEveryOtherCanHave) {
  MemoryPoolConfig config;
  config.initial_small_bytes = config.max_small_bytes = 8u << 20;
  HybridMemoryPool pool(config);
  std::mt19937 random(1);
  constexpr std::size_t kSizes[] = {64, 500, 4096, 30'000, 200'000, 512u << 10, 1'000'000};
  for (int round = 0; round < 30; ++round) {
    const std::size_t bytes = kSizes[random() % std::size(kSizes)];
    std::vector<MemoryHandle> all;
    while (auto handle = pool.try_allocate(bytes)) all.push_back(std::move(*handle));
    ASSERT_GE(all.size() * bytes, config.max_small_bytes * 3 / 5) << bytes << ", round " << round;
    std::shuffle(all.begin(), all.end(), random);
  }
}

TEST(Predecessor, AThreadWithBlocksAtHandWaitsForNoLock) {
  memory::HostPoolConfig config;
  config.max_small_bytes = config.max_large_bytes = 64u << 20;
  HostPool pool(config);
  std::vector<void*> blocks;
  for (int i = 0; i < 500; ++i) blocks.push_back(pool.allocate(20'000, 64));
  for (void* block : blocks) pool.deallocate(block, 20'000);
  pool.flush();
  const auto pair = [&] { pool.deallocate(pool.allocate(64, 64), 64); };
  Meeting meeting;
  std::promise<void> ready;
  std::thread thread([&] {
    pair();
    ready.set_value();
    meeting.work([&] {
      for (int i = 0; i < 1000; ++i) pair();
    });
  });
  ready.get_future().wait();
  // Asked under the lock of all memory of small blocks.
  const auto hold = [](void* context) {
    static_cast<Meeting*>(context)->hold();
    return false;
  };
  pool.small().arenas().trim(UINT64_MAX, 0, 1, hold, &meeting);
  if (!meeting.asked) meeting.hold();
  thread.join();
  EXPECT_TRUE(meeting.met);
}

class BusyDriver final : public Driver {
 public:
  explicit BusyDriver(Meeting* meeting) : meeting_(meeting) {}
  Device device() const noexcept override { return {DeviceKind::cuda, 0}; }
  void* allocate(std::size_t bytes, std::size_t) noexcept override {
    meeting_->hold();
    return ::operator new (bytes, std::align_val_t{4096}, std::nothrow);
  }
  void deallocate(void* block, std::size_t, std::size_t) noexcept override {
    ::operator delete (block, std::align_val_t{4096});
  }
  void copy(void*, const void*, std::size_t, Stream) override {}

 private:
  Meeting* meeting_;
};

TEST(Predecessor, ADeviceThatTakesItsTimeHoldsUpNobodyOnTheHost) {
  Meeting meeting;
  HybridMemoryPool pool;
  pool.add_driver(std::make_unique<BusyDriver>(&meeting));
  std::thread thread([&] {
    meeting.work([&] {
      std::vector<MemoryHandle> live;
      for (std::size_t i = 0; i < 2000; ++i) live.push_back(pool.allocate(50 * i));
      live.clear();
      pool.trim({.device = Device{}});
    });
  });
  const MemoryHandle block = pool.allocate(100, 64, {DeviceKind::cuda, 0});
  thread.join();
  EXPECT_TRUE(meeting.met);
}

TEST(Predecessor, NothingTouchesABlockBeforeItsHolder) {
  for (const std::size_t bytes :
       {std::size_t{8} << 20, std::size_t{64} << 20, kArenaBytes + 4096}) {
    HybridMemoryPool pool;
    const MemoryHandle block = pool.allocate(bytes, 2u << 20);
    EXPECT_EQ(os::resident_bytes(block.data(), bytes), 0u) << bytes;
    block.data()[0] = std::byte{1};
    EXPECT_GT(os::resident_bytes(block.data(), bytes), 0u);
    EXPECT_LE(os::resident_bytes(block.data(), bytes), os::kHugePageBytes);
  }
}

TEST(Predecessor, NoIdIsGivenTwice) {
  HybridMemoryPool pool;
  std::mt19937 random(1);
  std::vector<MemoryHandle> live;
  std::set<std::pair<std::uint32_t, std::uint32_t>> given;
  for (int i = 0; i < 20'000; ++i) {
    live.push_back(pool.allocate(random() % 1000));
    const HandleId id = live.back().id();
    ASSERT_TRUE(given.emplace(id.index, id.generation).second) << i;
    if (live.size() > 100) std::swap(live[random() % 100], live.back()), live.pop_back();
  }
}

/// What the system knows about the pages around `address`: the flags of /proc/self/smaps and the
/// policy of /proc/self/numa_maps.
std::set<std::string> page_flags(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  std::set<std::string> flags;
  std::string line, policy;
  bool inside = false;
  for (std::ifstream smaps("/proc/self/smaps"); std::getline(smaps, line);) {
    std::istringstream words(line);
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (words >> std::hex >> begin >> dash >> end && dash == '-') inside = begin <= at && at < end;
    if (!inside || !line.starts_with("VmFlags:")) continue;
    std::istringstream names(line.substr(8));
    for (std::string name; names >> name;)
      if (name == "hg" || name == "lo") flags.insert(name);
  }
  for (std::ifstream maps("/proc/self/numa_maps"); std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t begin = 0;
    std::string name;
    if (words >> std::hex >> begin >> name && begin <= at) policy = name;
  }
  if (policy.starts_with("bind")) flags.insert(policy);
  return flags;
}

TEST(Predecessor, PageOptionsReachTheSystem) {
  if (memory::kPoisoning) GTEST_SKIP() << "AddressSanitizer makes mlock() do nothing";
  for (const bool huge : {false, true})
    for (const bool lock : {false, true})
      for (const bool numa : {false, true}) {
        // What these options do to pages here: a limit or the kernel may forbid some.
        void* pages = os::reserve_pages(kArenaBytes, kArenaBytes);
        ASSERT_TRUE(pages && os::commit_pages(pages, kArenaBytes));
        if (huge) os::advise_huge_pages(pages, kArenaBytes, true);
        if (numa) os::bind_to_numa_node(pages, kArenaBytes, 0);
        if (lock) os::lock_pages(pages, kArenaBytes);
        const std::set<std::string> wanted = page_flags(pages);
        os::unmap_pages(pages, kArenaBytes);
        MemoryPoolConfig config;
        config.huge_pages = huge;
        config.lock_memory = lock;
        if (numa) config.numa_node = 0;
        config.initial_small_bytes = 0;  // one arena, as above: locked memory may be limited
        HybridMemoryPool pool(config);
        const MemoryHandle block = pool.allocate(4u << 20);
        EXPECT_EQ(page_flags(block.data()), wanted) << huge << lock << numa;
      }
}

MemoryPoolConfig tracked(const TrackingConfig& tracking) {
  MemoryPoolConfig config;
  config.enable_advanced_tracking = true;
  config.tracking_config = tracking;
  return config;
}

void use(HybridMemoryPool& pool, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    const std::size_t bytes = 16 + 48 * (i % 50);
    pool.deallocate_raw(pool.allocate_raw(bytes), bytes);
  }
}

TEST(Predecessor, TrackingMillionsOfOperationsTakesNoMoreMemoryThanThousands) {
  BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT();
  HybridMemoryPool pool(tracked(TrackingConfig::detailed()));
  const auto use_and_drain = [&](int times) {
    for (int i = 0; i < times; ++i) {
      use(pool, 5000);
      pool.detailed_metrics();
    }
  };
  use_and_drain(20);
  const std::uint64_t before = os::memory_info().resident_bytes;
  use_and_drain(600);
  ASSERT_GT(pool.detailed_metrics()->events.seen, 3'000'000u);
  EXPECT_LT(os::memory_info().resident_bytes, before + (16u << 20));
}

TEST(Predecessor, APoolsLeaksStacksTimelineAndProfileAreOfItsOwnBlocks) {
  HybridMemoryPool pool(tracked(TrackingConfig::debug()));
  Tracker& tracker = *pool.tracker();
  tracker.start_profile("all");
  std::set<std::uint64_t> live;
  std::vector<MemoryHandle> kept;
  TrackingReport report;
  // Stacks are taken from the first tick of the tracker's thread on.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  do {
    kept.push_back(pool.allocate(1000));
    live.insert(reinterpret_cast<std::uintptr_t>(kept.back().data()));
    pool.allocate(3000);
    report = tracker.report();
  } while (report.sites.empty() && std::chrono::steady_clock::now() < deadline);
  ASSERT_FALSE(report.sites.empty());
  EXPECT_FALSE(report.frames(report.sites[0].site).empty());
  ASSERT_FALSE(report.timeline.empty());
  const LeakReport leaks = tracker.find_leaks(std::chrono::milliseconds(0));
  EXPECT_EQ(leaks.blocks, live.size());
  for (const LeakCandidate& leak : leaks.candidates) EXPECT_TRUE(live.contains(leak.address));
  EXPECT_EQ(tracker.stop_profile().name, "all");
  kept.clear();
  EXPECT_EQ(tracker.find_leaks(std::chrono::milliseconds(0)).blocks, 0u);
}

}  // namespace
}  // namespace bitnet
