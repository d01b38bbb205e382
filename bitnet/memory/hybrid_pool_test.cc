// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/hybrid_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

// A device that fails on demand and counts what it holds.
class FailingDriver final : public Driver {
 public:
  explicit FailingDriver(int* live) : live_(live) {}
  Device device() const noexcept override { return {DeviceKind::cuda, 3}; }
  void* allocate(std::size_t bytes, std::size_t) noexcept override {
    if (bytes > 4096) return nullptr;
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

Errc code_of(auto&& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.code();
  }
  return Errc::internal;
}

TEST(HybridMemoryPool, EverySizeAndAlignmentIsAlignedWritableAndCounted) {
  HybridMemoryPool pool;
  std::mt19937 random(1);
  std::vector<MemoryHandle> live;
  std::uint64_t bytes = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t size = random() % (i % 10 == 0 ? 3'000'000 : 5000);
    const std::size_t alignment = std::size_t{1} << (random() % 22);
    MemoryHandle h = pool.allocate(size, alignment);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(h.data()) % alignment, 0u);
    std::memset(h.data(), i & 255, size);
    bytes += size;
    live.push_back(std::move(h));
    if (live.size() > 40) {
      const std::size_t k = random() % live.size();
      bytes -= live[k].size_bytes();
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(k));
    }
    ASSERT_EQ(pool.metrics().live_bytes, bytes);
    ASSERT_EQ(pool.metrics().live_blocks, live.size());
  }
  live.clear();
  EXPECT_EQ(pool.metrics().live_bytes, 0u);
  EXPECT_GE(pool.metrics().peak_bytes, 3'000'000u);
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
  HybridMemoryPool pool({.max_bytes = 1000});
  MemoryHandle a = pool.allocate(600);
  EXPECT_FALSE(pool.try_allocate(401));
  EXPECT_EQ(code_of([&] { pool.allocate(401); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { pool.allocate(SIZE_MAX); }), Errc::out_of_memory);
  MemoryHandle b = pool.allocate(400);
  EXPECT_EQ(pool.metrics().live_bytes, 1000u);
  EXPECT_EQ(pool.metrics().failed_allocations, 3u);
}

TEST(HybridMemoryPool, HugeRequestWithoutLimitIsOutOfMemoryNotACrash) {
  HybridMemoryPool pool;
  EXPECT_EQ(code_of([&] { pool.allocate(SIZE_MAX); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { pool.allocate(std::size_t{1} << 60); }), Errc::out_of_memory);
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
}

TEST(HybridMemoryPool, AnotherDeviceComesInThroughItsDriver) {
  HybridMemoryPool pool;
  int live = 0;
  pool.add_driver(std::make_unique<FailingDriver>(&live));
  EXPECT_EQ(code_of([&] { pool.add_driver(std::make_unique<FailingDriver>(&live)); }),
            Errc::invalid_argument);
  {
    const MemoryHandle h = pool.allocate(100, 64, {DeviceKind::cuda, 3});
    EXPECT_EQ(live, 1);
    EXPECT_EQ(code_of([&] {
                pool.allocate(5000, 64, {DeviceKind::cuda, 3});
              }),
              Errc::out_of_memory);
  }
  EXPECT_EQ(live, 0);
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
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(pool.metrics().live_blocks, 0u);
}

}  // namespace
}  // namespace bitnet
