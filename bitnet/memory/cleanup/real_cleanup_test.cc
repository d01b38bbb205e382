// SPDX-License-Identifier: MIT OR Apache-2.0
// Each strategy on a real pool: the process, or the device, really has less afterwards.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "bitnet/base/os/memory.h"
#include "bitnet/memory/cleanup/manager.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMiB = std::size_t{1} << 20;

// No free memory is too young to go.
MemoryPoolConfig without_ages() {
  MemoryPoolConfig config;
  CleanupConfig cleanup;
  cleanup.max_cleanup_time = cleanup.thresholds.idle.max_duration = std::chrono::seconds(60);
  cleanup.thresholds.age = {milliseconds(0), milliseconds(0), milliseconds(0), milliseconds(0)};
  cleanup.policy.max_blocks = UINT64_MAX;
  config.cleanup_config = cleanup;
  return config;
}

// Large and small blocks, written and freed.
void leave_free_memory(HybridMemoryPool& pool) {
  std::vector<MemoryHandle> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(pool.allocate(4 * kMiB));
  for (int i = 0; i < 512; ++i) blocks.push_back(pool.allocate(60'000));
  for (const MemoryHandle& b : blocks) std::memset(b.data(), 1, b.size_bytes());
}

class EachStrategy : public testing::TestWithParam<CleanupKind> {};

TEST_P(EachStrategy, ReturnsFreeMemoryToTheSystem) {
  BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT();
  HybridMemoryPool pool(without_ages());
  leave_free_memory(pool);
  const MemoryHandle live = pool.allocate(kMiB);
  std::memset(live.data(), 7, live.size_bytes());
  const std::uint64_t before = os::memory_info().resident_bytes;
  const CleanupReport report = pool.cleanup().run(GetParam());
  const std::uint64_t after = os::memory_info().resident_bytes;
  EXPECT_EQ(report.error, "");
  EXPECT_GT(report.result.bytes_returned, 55 * kMiB);
  EXPECT_GT(report.committed_before, report.committed_after + 55 * kMiB);
  const double fell = static_cast<double>(before) - static_cast<double>(after);
  EXPECT_NEAR(fell, static_cast<double>(report.result.bytes_returned), 6.0 * kMiB);
  for (std::size_t i = 0; i < live.size_bytes(); ++i) ASSERT_EQ(live.data()[i], std::byte{7});
  pool.validate();
}

INSTANTIATE_TEST_SUITE_P(Kinds, EachStrategy,
                         testing::Values(CleanupKind::idle, CleanupKind::pressure,
                                         CleanupKind::periodic, CleanupKind::generational),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

TEST(RealCleanup, YoungMemoryStays) {
  MemoryPoolConfig config = without_ages();
  config.cleanup_config->thresholds.age = {std::chrono::hours(1), std::chrono::hours(1),
                                           std::chrono::hours(1), milliseconds(0)};
  HybridMemoryPool pool(config);
  leave_free_memory(pool);
  EXPECT_EQ(pool.cleanup().run(CleanupKind::generational).result.bytes_returned, 0u);
  EXPECT_GT(pool.cleanup().run_device(Device{}).result.bytes_returned, 55 * kMiB);
}

TEST(RealCleanup, PressureCompactsAndAnEmergencyCompresses) {
  MemoryPoolConfig config = without_ages();
  config.cleanup_config->thresholds.age.old = std::chrono::hours(1);      // no block is: only the
  config.cleanup_config->thresholds.age.ancient = std::chrono::hours(2);  // emergency packs any
  HybridMemoryPool pool(config);
  std::mt19937 random(3);
  std::vector<MovableHandle> blocks;
  for (int i = 0; i < 2000; ++i) {
    blocks.push_back(pool.allocate_movable(8000 + random() % 8000));
    const Pin pin = blocks.back().pin();
    std::memset(pin.data(), static_cast<int>(i & 127), pin.size_bytes());
  }
  std::vector<std::pair<MovableHandle, int>> live;
  for (int i = 0; i < 2000; i += 10)
    live.emplace_back(std::move(blocks[static_cast<std::size_t>(i)]), i);
  blocks.clear();
  const CleanupReport moved = pool.cleanup().run(CleanupKind::pressure);
  EXPECT_EQ(moved.error, "");
  EXPECT_GT(moved.result.blocks_moved, 50u);
  EXPECT_EQ(moved.result.moves_undone, 0u);
  EXPECT_LT(moved.fragmentation_after, moved.fragmentation_before);
  pool.cleanup().on_pressure(1.0);
  const CleanupReport packed = pool.cleanup().run(CleanupKind::pressure);
  EXPECT_EQ(packed.result.blocks_compressed, live.size());
  EXPECT_GT(packed.result.bytes_returned, kMiB);
  for (const auto& [handle, i] : live) {
    const Pin pin = handle.pin();
    for (std::size_t k = 0; k < pin.size_bytes(); ++k)
      ASSERT_EQ(pin.data()[k], static_cast<std::byte>(i & 127));
  }
}

// Memory of the host under another name.
class HeldDriver final : public Driver {
 public:
  explicit HeldDriver(std::size_t* held) : held_(held) {}
  Device device() const noexcept override { return {DeviceKind::cuda, 2}; }
  void* allocate(std::size_t bytes, std::size_t) noexcept override {
    *held_ += bytes;
    return ::operator new (bytes, std::align_val_t{4096}, std::nothrow);
  }
  void deallocate(void* memory, std::size_t bytes, std::size_t) noexcept override {
    *held_ -= bytes;
    ::operator delete (memory, std::align_val_t{4096});
  }
  void copy(void* to, const void* from, std::size_t bytes, Stream) override {
    std::memcpy(to, from, bytes);
  }

 private:
  std::size_t* held_;
};

TEST(RealCleanup, DeviceSegmentsGoBackToTheirDriver) {
  std::size_t held = 0;
  HybridMemoryPool pool(without_ages());
  pool.add_driver(std::make_unique<HeldDriver>(&held));
  const Device device{DeviceKind::cuda, 2};
  pool.allocate(8 * kMiB, 64, device);
  ASSERT_GE(held, 8 * kMiB);
  const std::size_t before = held;
  const CleanupReport report = pool.cleanup().run(CleanupKind::device);
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(held, 0u);
  EXPECT_EQ(report.result.bytes_returned, before);
  pool.allocate(8 * kMiB, 64, device);
  EXPECT_EQ(pool.cleanup().run_device(device).result.bytes_returned, before);
  EXPECT_EQ(held, 0u);
}

TEST(RealCleanup, TheThreadOfAPoolCleansWhileOthersAllocate) {
  MemoryPoolConfig config = without_ages();
  config.enable_automatic_cleanup = true;
  config.cleanup_config->scheduler.interval = milliseconds(1);
  config.cleanup_config->scheduler.adaptive = false;
  HybridMemoryPool pool(config);
  EXPECT_TRUE(pool.cleanup().running());
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 2; ++t)
    threads.emplace_back([&pool, t] {
      std::minstd_rand random(t + 1);
      std::vector<MemoryHandle> live;
      for (int i = 0; i < (memory::kSanitized ? 500 : 3000); ++i) {
        live.push_back(pool.allocate(random() % 200'000));
        std::memset(live.back().data(), 3, live.back().size_bytes());
        if (live.size() > 20) live.erase(live.begin() + static_cast<int>(random() % 20));
        if (i % 100 == 0) pool.cleanup().on_pressure(i % 200 == 0 ? 1.0 : 0.0);
      }
    });
  for (std::thread& t : threads) t.join();
  pool.cleanup().on_pressure(0.9);
  while (pool.cleanup().metrics().totals().bytes_returned == 0) std::this_thread::yield();
  EXPECT_EQ(pool.cleanup().metrics().totals().failures, 0u);
  pool.validate();
}

}  // namespace
}  // namespace bitnet
