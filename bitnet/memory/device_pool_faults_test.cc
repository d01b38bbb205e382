// SPDX-License-Identifier: MIT OR Apache-2.0
// Device pools whose driver fails, and pools of many threads and devices.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/device/testing/scripted_device.h"
#include "bitnet/memory/cleanup/manager.h"
#include "bitnet/memory/device_pools.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet::memory {
namespace {

using testing::ScriptedDevice;
using testing::ScriptedDriver;

constexpr std::size_t kMiB = 1u << 20;

// Reaches every call of a driver: growth, retries, events asked, waited for and released.
void use(DevicePool& pool, ScriptedDevice& device) {
  const Stream a{1}, b{2};
  std::vector<void*> blocks;
  for (int i = 0; i < 12; ++i)
    if (void* block = pool.allocate(3 * kMiB, 64, i % 2 ? a : b)) blocks.push_back(block);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 3 == 0) pool.use_on(blocks[i], b);
    pool.free(blocks[i], i % 2 ? a : b);
  }
  if (void* block = pool.allocate(20 * kMiB, 64, b)) pool.free(block, a);
  device.complete(a);
  pool.trim(UINT64_MAX);
  if (void* block = pool.allocate(40 * kMiB, 64, a)) pool.free(block, b);
  if (void* block = pool.allocate(60 * kMiB, 64, a)) pool.free(block, a);
}

TEST(DevicePoolFaults, EveryCallOfTheDriverMayFail) {
  std::uint64_t calls = 0;
  {
    ScriptedDevice device({.memory_bytes = 64 * kMiB});
    DevicePool pool(std::make_unique<ScriptedDriver>(device), 0);
    use(pool, device);
    calls = device.calls();
    EXPECT_GT(device.synchronize_calls(), 0u);
  }
  ASSERT_GT(calls, 20u);
  int lost = 0;
  for (std::uint64_t k = 1; k <= calls; ++k) {
    ScriptedDevice device({.memory_bytes = 64 * kMiB});
    {
      DevicePool pool(std::make_unique<ScriptedDriver>(device), 0);
      device.fail_call(k);
      const std::optional<Errc> code = code_of([&] { use(pool, device); });
      ASSERT_TRUE(!code || code == Errc::device_lost);
      pool.validate();
      pool.metrics();
      if (pool.lost()) {
        ++lost;
        ASSERT_EQ(code_of([&] { pool.allocate(1, 64, {}); }), Errc::device_lost);
        ASSERT_EQ(pool.trim(UINT64_MAX), 0u);
      } else {
        ASSERT_TRUE(pool.allocate(1, 64, {}));
      }
    }
    ASSERT_EQ(device.held_bytes(), 0u) << "call " << k;
    ASSERT_EQ(device.live_events(), 0u) << "call " << k;
    ASSERT_EQ(device.misuse(), "") << "call " << k;
  }
  EXPECT_GT(lost, 10);
}

TEST(DevicePoolFaults, LostDeviceServesNothingAndLeaksNothing) {
  ScriptedDevice device;
  {
    DevicePool pool(std::make_unique<ScriptedDriver>(device), 0);
    std::vector<void*> blocks;
    for (int i = 0; i < 40; ++i) blocks.push_back(pool.allocate(kMiB, 64, Stream{1}));
    pool.use_on(blocks[0], Stream{2});
    device.lose();
    EXPECT_FALSE(pool.lost()) << "nobody has asked the device yet";
    EXPECT_TRUE(pool.free(blocks[0], Stream{1}));
    EXPECT_TRUE(pool.lost());
    for (std::size_t i = 1; i < blocks.size(); ++i) {
      EXPECT_TRUE(pool.free(blocks[i], Stream{i % 3}));
      EXPECT_FALSE(pool.free(blocks[i], Stream{1}));
      EXPECT_EQ(code_of([&] { pool.allocate(kMiB, 64, Stream{1}); }), Errc::device_lost);
    }
    EXPECT_EQ(pool.metrics().live_bytes, 0u);
    EXPECT_EQ(pool.trim(UINT64_MAX), 0u);
    pool.validate();
  }
  EXPECT_EQ(device.held_bytes(), 0u);
  EXPECT_EQ(device.live_events(), 0u);
}

TEST(DevicePoolFaults, APoolOutlivesOneOfItsDevices) {
  ScriptedDevice good({.device = {DeviceKind::cuda, 0}}), bad({.device = {DeviceKind::cuda, 1}});
  {
    HybridMemoryPool pool;
    pool.add_driver(std::make_unique<ScriptedDriver>(bad));
    pool.add_driver(std::make_unique<ScriptedDriver>(good));
    MemoryHandle host = pool.allocate(4 * kMiB);
    MemoryHandle here = pool.allocate(4 * kMiB, 64, {DeviceKind::cuda, 0});
    MemoryHandle lost = pool.allocate(4 * kMiB, 64, {DeviceKind::cuda, 1});
    std::memset(host.data(), 1, host.size_bytes());
    bad.lose();
    lost = {};
    here = {};
    host = {};
    good.be_synchronous();
    EXPECT_EQ(pool.metrics().live_blocks, 0u);
    EXPECT_GE(pool.trim().bytes_returned, 36 * kMiB) << "the host's block, the good segment";
    EXPECT_EQ(good.held_bytes(), 0u);
    EXPECT_EQ(code_of([&] { pool.allocate(1, 64, {DeviceKind::cuda, 1}); }), Errc::device_lost);
    EXPECT_EQ(code_of([&] { pool.try_allocate(1, 64, {DeviceKind::cuda, 1}); }), Errc::device_lost);
    EXPECT_TRUE(pool.allocate(1, 64, {DeviceKind::cuda, 0}));
    EXPECT_EQ(pool.cleanup().run_device({DeviceKind::cuda, 1}).result.bytes_returned, 0u);
    pool.validate();
  }
  EXPECT_EQ(bad.held_bytes(), 0u);
  EXPECT_EQ(bad.live_events(), 0u);
  EXPECT_EQ(bad.misuse(), "");
}

TEST(DevicePoolFaults, ThreadsShareAPool) {
  ScriptedDevice device({.memory_bytes = 256 * kMiB, .readable = true});
  device.be_synchronous();
  {
    DevicePool pool(std::make_unique<ScriptedDriver>(device), 0);
    std::atomic<int> damaged{0};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        const Stream mine{t + 1};
        std::vector<std::uint32_t*> live;
        for (std::uint32_t i = 0; i < (kSanitized ? 500u : 3000u); ++i) {
          const std::size_t bytes = std::size_t{1024} << ((i * 7 + t) % 12);
          auto* block = static_cast<std::uint32_t*>(pool.allocate(bytes, 64, mine));
          if (block) {
            *block = t;
            live.push_back(block);
          }
          if (live.size() > 6 || (!block && !live.empty())) {
            damaged += *live.front() != t;
            if (i % 5 == 0) pool.use_on(live.front(), Stream{(t + 1) % 4 + 1});
            damaged += !pool.free(live.front(), mine);
            live.erase(live.begin());
          }
          if (i % 100 == 0) {
            pool.validate();
            pool.trim(kMiB);
          }
        }
        for (std::uint32_t* block : live) damaged += !pool.free(block, mine);
      });
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(damaged, 0);
    EXPECT_EQ(pool.metrics().live_bytes, 0u);
    pool.trim(UINT64_MAX);
    EXPECT_EQ(device.held_bytes(), 0u);
  }
  EXPECT_EQ(device.live_events(), 0u);
}

TEST(DevicePools, AreFoundByDevice) {
  std::vector<std::unique_ptr<ScriptedDevice>> devices;
  DevicePools pools;
  const auto add = [&](Device device) {
    devices.push_back(std::make_unique<ScriptedDevice>(ScriptedDevice::Options{.device = device}));
    pools.add(std::make_unique<ScriptedDriver>(*devices.back()), 0);
  };
  EXPECT_EQ(code_of([&] { add({}); }), Errc::invalid_argument) << "the host is no further device";
  for (int i = 0; i < DevicePools::kMaxDevices; ++i)
    add({i % 2 ? DeviceKind::metal : DeviceKind::cuda, i / 2});
  EXPECT_EQ(code_of([&] { add({DeviceKind::cuda, 0}); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { add({DeviceKind::mlx, 0}); }), Errc::unsupported);
  EXPECT_EQ(pools.size(), DevicePools::kMaxDevices);
  EXPECT_EQ(pools.number({}), 0);
  EXPECT_EQ(pools.number({DeviceKind::mlx, 0}), 0);
  const std::uint16_t number = pools.number({DeviceKind::metal, 5});
  EXPECT_EQ(pools.device(number), (Device{DeviceKind::metal, 5}));
  void* block = pools.at(number).allocate(100, 64, {});
  EXPECT_TRUE(pools.owns(block));
  for (std::uint16_t n = 1; n <= pools.size(); ++n) EXPECT_EQ(pools.at(n).owns(block), n == number);
  EXPECT_TRUE(pools.at(number).free(block, {}));
  EXPECT_FALSE(pools.owns(block));
}

}  // namespace
}  // namespace bitnet::memory
