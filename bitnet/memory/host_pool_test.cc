// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/host_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet::memory {
namespace {

HostPoolConfig config_of(std::uint64_t small = 256u << 20, std::uint64_t large = 512u << 20) {
  HostPoolConfig config;
  config.max_small_bytes = small;
  config.max_large_bytes = large;
  return config;
}

struct Live {
  unsigned char* block;
  std::size_t bytes;
  unsigned char fill;
};

// First and last bytes: whole blocks would make the test one of memset.
void fill(const Live& l) {
  const std::size_t edge = std::min<std::size_t>(l.bytes, 64);
  std::memset(l.block, l.fill, edge);
  std::memset(l.block + l.bytes - edge, l.fill, edge);
}

bool intact(const Live& l) {
  const std::size_t edge = std::min<std::size_t>(l.bytes, 64);
  for (std::size_t i = 0; i < edge; ++i)
    if (l.block[i] != l.fill || l.block[l.bytes - 1 - i] != l.fill) return false;
  return true;
}

std::size_t random_size(std::mt19937_64& random, int max_log2) {
  const std::size_t high = std::size_t{1} << (random() % static_cast<unsigned>(max_log2 + 1));
  return random() % (high + 1);
}

// Against a map of what is live: overlap, alignment, contents, counters.
void differential(HostPool& pool, std::uint64_t seed, int steps, int validate_every, int max_log2,
                  std::size_t max_live_bytes) {
  std::mt19937_64 random(seed);
  std::vector<Live> live;
  std::map<std::uintptr_t, std::size_t> ranges;  // only for short runs
  const bool check_overlap = steps <= 20000;
  std::size_t bytes = 0;
  for (int step = 0; step < steps; ++step) {
    if (live.empty() || (bytes < max_live_bytes && random() % 2)) {
      const std::size_t size = random_size(random, max_log2);
      const std::size_t alignment =
          random() % 16 ? std::size_t{64} : std::size_t{1} << (random() % 22);
      auto* block = static_cast<unsigned char*>(pool.allocate(size, alignment));
      ASSERT_NE(block, nullptr) << size << " bytes at " << alignment;
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u);
      ASSERT_GE(pool.block_bytes(block), size);
      if (check_overlap) {
        const auto at = reinterpret_cast<std::uintptr_t>(block);
        const auto next = ranges.lower_bound(at);
        ASSERT_TRUE(next == ranges.end() || at + size <= next->first);
        ASSERT_TRUE(next == ranges.begin() ||
                    std::prev(next)->first + std::prev(next)->second <= at);
        ranges[at] = std::max<std::size_t>(size, 1);
      }
      live.push_back({block, size, static_cast<unsigned char>(random())});
      fill(live.back());
      bytes += size;
    } else {
      std::swap(live[random() % live.size()], live.back());
      const Live l = live.back();
      live.pop_back();
      ASSERT_TRUE(intact(l)) << l.bytes;
      if (check_overlap) ranges.erase(reinterpret_cast<std::uintptr_t>(l.block));
      ASSERT_EQ(pool.deallocate(l.block, l.bytes), FreeFault::none);
      bytes -= l.bytes;
    }
    if (step % validate_every == 0) {
      ASSERT_NO_THROW(pool.validate());
    }
  }
  for (const Live& l : live) {
    ASSERT_TRUE(intact(l));
    ASSERT_EQ(pool.deallocate(l.block, l.bytes), FreeFault::none);
  }
  pool.flush();
  ASSERT_NO_THROW(pool.validate());
  EXPECT_EQ(pool.small().arenas().taken_units(), 0u);
  EXPECT_EQ(pool.large().arenas().taken_units(), 0u);
  EXPECT_EQ(pool.large().mapped_bytes(), 0u);
}

TEST(HostPool, AgreesWithAModelWithAHeapWalkAfterEachStep) {
  HostPool pool(config_of());
  differential(pool, 1, 3000, 1, 24, 128u << 20);
}

TEST(HostPool, AgreesWithAModelOverTenMillionSteps) {
  HostPool pool(config_of());
  // Sanitizers find what they find in a twentieth of the steps.
  const int steps = kSanitized ? 500'000 : 10'000'000;
  differential(pool, 2, steps / 2, 100'000, 13, 4u << 20);
  differential(pool, 3, steps / 2, 100'000, 21, 64u << 20);
}

TEST(HostPool, HardenedModeAgreesToo) {
  HostPoolConfig config = config_of();
  config.hardened = true;
  config.guard_interval = 1000;
  HostPool pool(config);
  differential(pool, 4, kSanitized ? 50'000 : 400'000, 20'000, 21, 64u << 20);
}

TEST(HostPool, EverySizeAndAlignmentIsServed) {
  HostPool pool(config_of());
  for (std::size_t alignment = 1; alignment <= kMaxAlignment; alignment *= 2)
    for (std::size_t bytes = 0; bytes <= (3u << 20);
         bytes += bytes < 300 ? 1 : bytes / 13 + alignment % 7) {
      void* block = pool.allocate(bytes, alignment);
      ASSERT_NE(block, nullptr) << bytes << " at " << alignment;
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0u) << bytes;
      ASSERT_EQ(pool.deallocate(block, bytes), FreeFault::none);
    }
  for (const std::size_t bad : {std::size_t{0}, std::size_t{3}, std::size_t{96}, kMaxAlignment * 2})
    EXPECT_EQ(pool.allocate(64, bad), nullptr) << bad;
  EXPECT_EQ(pool.allocate(SIZE_MAX, 64), nullptr);
  EXPECT_EQ(pool.allocate(SIZE_MAX - 63, 64), nullptr);
  EXPECT_EQ(pool.allocate(std::size_t{1} << 50, 64), nullptr);
}

TEST(HostPool, LimitsAreHardAndEverythingComesBack) {
  constexpr std::uint64_t kSmall = 4u << 20, kLarge = 16u << 20;
  HostPool pool(config_of(kSmall, kLarge));
  for (int round = 0; round < 3; ++round)
    for (const std::size_t bytes :
         {std::size_t{16}, std::size_t{1000}, std::size_t{65536}, std::size_t{900'000},
          std::size_t{1} << 20, std::size_t{5} << 20}) {
      std::vector<void*> blocks;
      while (void* block = pool.allocate(bytes, 64)) blocks.push_back(block);
      EXPECT_LE(pool.small().arenas().taken_units() * kUnitBytes, kSmall);
      EXPECT_LE(pool.large().arenas().taken_units() * kUnitBytes, kLarge);
      const std::uint64_t limit = bytes < kLargeBytes ? kSmall : kLarge;
      EXPECT_GE(blocks.size() * std::max<std::size_t>(bytes, 64), limit * 3 / 5) << bytes;
      for (void* block : blocks) ASSERT_EQ(pool.deallocate(block, bytes), FreeFault::none);
      pool.flush();
    }
  EXPECT_EQ(pool.allocate(kArenaBytes + 1, 64), nullptr);
}

TEST(HostPool, BeyondAnArenaBlocksAreMappedAndUnmapped) {
  HostPool pool(config_of(64u << 20, 2ull << 30));
  const std::size_t bytes = kArenaBytes + 12345;
  auto* block = static_cast<unsigned char*>(pool.allocate(bytes, 1u << 21));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % (1u << 21), 0u);
  block[0] = block[bytes - 1] = 7;
  EXPECT_FALSE(pool.contains(block));
  EXPECT_EQ(pool.block_bytes(block), bytes);
  EXPECT_EQ(pool.deallocate(block, bytes), FreeFault::none);
  EXPECT_EQ(pool.deallocate(block, bytes), FreeFault::foreign);
  EXPECT_EQ(pool.large().mapped_bytes(), 0u);
}

TEST(HostPool, ForeignAddressesAreRefused) {
  HostPool pool(config_of()), other(config_of());
  int local = 0;
  void* elsewhere = other.allocate(64, 64);
  EXPECT_EQ(pool.deallocate(&local, 4), FreeFault::foreign);
  EXPECT_EQ(pool.deallocate(elsewhere, 64), FreeFault::foreign);
  EXPECT_EQ(pool.deallocate(nullptr, 0), FreeFault::foreign);
  auto* large = static_cast<std::byte*>(pool.allocate(4u << 20, 64));
  EXPECT_EQ(pool.deallocate(large + 64, 64), FreeFault::foreign);
  EXPECT_EQ(pool.deallocate(large + kUnitBytes, 64), FreeFault::foreign);
  EXPECT_EQ(pool.deallocate(large, 4u << 20), FreeFault::none);
  EXPECT_EQ(pool.deallocate(large, 4u << 20), FreeFault::foreign);
  EXPECT_EQ(other.deallocate(elsewhere, 64), FreeFault::none);
}

TEST(HostPool, HardenedModeFindsEachMisuse) {
  HostPoolConfig config = config_of();
  config.hardened = true;
  HostPool pool(config);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{24}, std::size_t{64},
                                  std::size_t{100}, std::size_t{5000}, std::size_t{70'000}}) {
    auto* a = static_cast<std::byte*>(pool.allocate(bytes, 16));
    auto* b = static_cast<std::byte*>(pool.allocate(bytes, 16));
    ASSERT_NE(a, b);
    EXPECT_EQ(pool.deallocate(a + 1, bytes), FreeFault::foreign);
    if (bytes > 16) {
      EXPECT_EQ(pool.deallocate(a + 16, bytes), FreeFault::foreign);
    }
    EXPECT_EQ(pool.deallocate(a, bytes), FreeFault::none);
    EXPECT_EQ(pool.deallocate(a, bytes), FreeFault::not_live) << bytes;
    const bool room = class_bytes(class_of(aligned_size(bytes, 16))) > bytes;
    if (room) {
      EXPECT_TRUE(pool.intact(b, bytes));
      unpoison(b, bytes + 1);
      b[bytes] ^= std::byte{1};
      EXPECT_FALSE(pool.intact(b, bytes));
      EXPECT_EQ(pool.deallocate(b, bytes), FreeFault::overrun);
      b[bytes] ^= std::byte{1};
    }
    EXPECT_EQ(pool.deallocate(b, bytes), FreeFault::none);
  }
}

using HostPoolDeathTest = testing::Test;

TEST(HostPoolDeathTest, AGuardPageStopsAWritePastTheEnd) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  HostPoolConfig config = config_of();
  config.hardened = true;
  config.guard_interval = 1;  // every block
  HostPool pool(config);
  auto* block = static_cast<volatile char*>(pool.allocate(4096, 16));
  block[4095] = 1;
  EXPECT_DEATH(block[4096] = 1, "");
  EXPECT_EQ(pool.deallocate(const_cast<char*>(block), 4096), FreeFault::none);
}

TEST(HostPoolDeathTest, AddressSanitizerSeesFreedBlocksAndEnds) {
  if constexpr (!kPoisoning) GTEST_SKIP() << "not built with AddressSanitizer";
  HostPool pool(config_of());
  auto* block = static_cast<volatile char*>(pool.allocate(100, 64));
  EXPECT_DEATH(block[100] = 1, "use-after-poison");
  pool.deallocate(const_cast<char*>(block), 100);
  EXPECT_DEATH(block[0] = 1, "use-after-poison");
}

TEST(HostPool, BlocksFreedByOtherThreadsAreUsedAgain) {
  HostPool pool(config_of());
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{40'000}, std::size_t{2} << 20}) {
    std::vector<void*> blocks(20);
    for (int round = 0; round < 200; ++round) {
      for (void*& block : blocks) {
        block = pool.allocate(bytes, 64);
        ASSERT_NE(block, nullptr);
        std::memset(block, round, 64);
      }
      std::thread([&] {
        for (void* block : blocks) ASSERT_EQ(pool.deallocate(block, bytes), FreeFault::none);
      }).join();
    }
    // What threads left behind is not lost: 4,000 blocks were allocated, 20 at a time.
    pool.flush();
    EXPECT_EQ(pool.small().arenas().taken_units() + pool.large().arenas().taken_units(), 0u);
    EXPECT_LE(
        (pool.small().arenas().peak_units() + pool.large().arenas().peak_units()) * kUnitBytes,
        150u << 20);
  }
}

TEST(HostPool, ThreadsExchangeBlocks) {
  HostPool pool(config_of());
  constexpr int kSlots = 64, kThreads = 4;
  std::array<std::atomic<unsigned char*>, kSlots> slots{};
  std::array<std::size_t, kSlots> sizes;
  for (std::size_t i = 0; i < kSlots; ++i) sizes[i] = 64 + (i * i * i) % 200'000;
  const int steps = kSanitized ? 5000 : 40'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < steps; ++i) {
        const std::size_t s = random() % kSlots;
        auto* block = static_cast<unsigned char*>(pool.allocate(sizes[s], 64));
        ASSERT_NE(block, nullptr);
        block[0] = block[sizes[s] - 1] = static_cast<unsigned char>(s);
        if (unsigned char* old = slots[s].exchange(block)) {
          ASSERT_EQ(old[0], s);
          ASSERT_EQ(old[sizes[s] - 1], s);
          ASSERT_EQ(pool.deallocate(old, sizes[s]), FreeFault::none);
        }
        if (i % 5000 == 0) pool.flush();
      }
    });
  for (auto& t : threads) t.join();
  for (std::size_t s = 0; s < kSlots; ++s)
    if (slots[s].load()) pool.deallocate(slots[s].load(), sizes[s]);
  pool.flush();
  pool.validate();
  EXPECT_EQ(pool.small().arenas().taken_units(), 0u);
}

TEST(HostPool, EachFailingCallToTheSystemIsAnswered) {
  for (const os::Call call : {os::Call::map_memory, os::Call::commit_memory}) {
    for (int k = 1;; ++k) {
      os::fail_call(call, k);
      int made = 0;
      try {
        HostPool pool(config_of(64u << 20, 2ull << 30));
        std::vector<std::pair<void*, std::size_t>> live;
        for (std::size_t bytes = 16; bytes <= (300u << 20); bytes = bytes * 3 + 8)
          if (void* block = pool.allocate(bytes, 64)) live.emplace_back(block, bytes);
        ASSERT_NO_THROW(pool.validate());
        for (const auto& [block, bytes] : live)
          ASSERT_EQ(pool.deallocate(block, bytes), FreeFault::none);
        made = os::calls_made(call);
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Errc::out_of_memory);
        made = os::calls_made(call);
      }
      if (made < k) break;
      ASSERT_LT(k, 200);
    }
    os::fail_call(call, 0);
  }
}

TEST(HostPool, AChildOfAForkUsesThePoolWhileThreadsAllocate) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  HostPool pool(config_of());
  void* before = pool.allocate(1000, 64);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      while (!stop) {
        void* block = pool.allocate(2000, 64);
        void* big = pool.allocate(3u << 20, 64);
        pool.deallocate(block, 2000);
        pool.deallocate(big, 3u << 20);
      }
    });
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      bool good = pool.deallocate(before, 1000) == FreeFault::none;
      for (std::size_t n = 1; n < 5u << 20 && good; n = n * 2 + 1) {
        void* block = pool.allocate(n, 64);
        good = block && pool.deallocate(block, n) == FreeFault::none;
      }
      _exit(good ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  stop = true;
  for (auto& t : threads) t.join();
  pool.deallocate(before, 1000);
}

TEST(HostPool, TheProcessMayExitWhileThreadsAllocate) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  for (int i = 0; i < 5; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      static HostPool* pool = new HostPool(config_of());
      for (int t = 0; t < 3; ++t)
        std::thread([] {
          for (;;) pool->deallocate(pool->allocate(777, 64), 777);
        }).detach();
      exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
}

TEST(HostPool, PoolsComeAndGoWhileThreadsLive) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        HostPool pool(config_of(64u << 20, 64u << 20));
        void* block = pool.allocate(64, 64);
        std::thread([&] { pool.deallocate(block, 64); }).join();
        ASSERT_NE(pool.allocate(100, 64), nullptr);
      }
    });
  for (auto& t : threads) t.join();
}

TEST(HostPool, MoreThanTheMostPoolsIsAnError) {
  std::vector<std::unique_ptr<HostPool>> pools;
  try {
    for (std::size_t i = 0; i <= kMaxHostPools; ++i)
      pools.push_back(std::make_unique<HostPool>(config_of(64u << 20, 64u << 20)));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::unsupported);
  }
}

TEST(HostPool, FreedMemoryGoesBackToTheSystem) {
  BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT();
  HostPool pool(config_of());
  const auto never = [](void*) { return false; };
  const std::uint64_t before = os::memory_info().resident_bytes;
  std::vector<std::pair<void*, std::size_t>> live;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t bytes = i % 100 == 0 ? 2u << 20 : 20'000;
    live.emplace_back(pool.allocate(bytes, 64), bytes);
    std::memset(live.back().first, 1, bytes);
  }
  const std::uint64_t held = os::memory_info().resident_bytes;
  ASSERT_GT(held, before + (100u << 20));
  // Every third block stays: pages between them go back too.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < live.size(); ++i)
    if (i % 3 != 0) {
      pool.deallocate(live[i].first, live[i].second);
    } else {
      kept += live[i].second;
    }
  pool.flush();
  pool.small().arenas().trim(UINT64_MAX, 0, 1, never, nullptr);
  pool.large().arenas().trim(UINT64_MAX, 0, 1, never, nullptr);
  pool.small().purge_free_pages(UINT64_MAX, 0, never, nullptr);
  EXPECT_LT(os::memory_info().resident_bytes, before + kept * 5 / 4 + (8u << 20));
  for (std::size_t i = 0; i < live.size(); i += 3) {
    EXPECT_EQ(static_cast<char*>(live[i].first)[live[i].second - 1], 1);
    pool.deallocate(live[i].first, live[i].second);
  }
}

}  // namespace
}  // namespace bitnet::memory
