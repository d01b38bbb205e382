// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

TEST(ThreadPool, SlicesCoverEverythingOnceAtSteps) {
  for (std::int64_t total : {0, 1, 7, 64, 1000, 6912})
    for (std::int64_t step : {1, 4, 16})
      for (int count : {1, 2, 3, 7, 64}) {
        std::int64_t next = 0;
        for (int i = 0; i < count; ++i) {
          const Slice s = slice_of(total, i, count, step);
          ASSERT_EQ(s.begin, next);
          ASSERT_TRUE(s.begin % step == 0 || s.begin == total);
          next = s.end;
        }
        ASSERT_EQ(next, total);
      }
}

TEST(ThreadPool, EveryWorkerRunsOncePerRun) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(threads));
    for (int i = 0; i < 500; ++i)
      pool.run([&](int worker, int count) {
        ASSERT_EQ(count, threads);
        ++calls[static_cast<std::size_t>(worker)];
      });
    for (const auto& c : calls) EXPECT_EQ(c, 500);
  }
}

TEST(ThreadPool, WorkersThatAreNotInUseAreLeftOut) {
  ThreadPool pool(7);
  for (int i = 0; i < 2000; ++i) {
    const int workers = i * 5 % 7 + 1;
    pool.use(workers);
    std::atomic<std::uint64_t> seen = 0;
    pool.run([&](int worker, int count) {
      ASSERT_EQ(count, workers);
      ASSERT_LT(worker, count);
      seen += std::uint64_t{1} << 8 * worker;
    });
    ASSERT_EQ(seen, 0x01010101010101u & ((std::uint64_t{1} << 8 * workers) - 1)) << i;
    if (i % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // all sleep
  }
  EXPECT_THROW(pool.use(0), Error);
  EXPECT_THROW(pool.use(8), Error);
  pool.use(3);  // four sleep for good when the pool ends
  pool.run([](int, int) {});
}

TEST(ThreadPool, WakesAfterSleeping) {
  ThreadPool pool(3);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than workers spin
    std::atomic<int> calls = 0;
    pool.run([&](int, int) { ++calls; });
    EXPECT_EQ(calls, 3);
  }
}

TEST(ThreadPool, ExceptionReachesTheCallerAndThePoolLives) {
  ThreadPool pool(3);
  for (int thrower = 0; thrower < 3; ++thrower)
    EXPECT_THROW(pool.run([&](int worker, int) {
      if (worker == thrower) throw std::runtime_error("x");
    }),
                 std::runtime_error);
  std::atomic<int> calls = 0;
  pool.run([&](int, int) { ++calls; });
  EXPECT_EQ(calls, 3);
}

TEST(ThreadPool, NestedRunStaysOnItsWorker) {
  ThreadPool pool(2);
  std::atomic<int> inner = 0;
  pool.run([&](int, int) {
    pool.run([&](int worker, int count) {
      EXPECT_EQ(worker, 0);
      EXPECT_EQ(count, 1);
      ++inner;
    });
  });
  EXPECT_EQ(inner, 2);
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> total = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) pool.run([&](int, int) { ++total; });
    });
  for (auto& t : callers) t.join();
  EXPECT_EQ(total, 4 * 200 * 2);
}

TEST(ThreadPool, AbsurdSizesAreRefused) {
  EXPECT_THROW(ThreadPool(-1), Error);
  EXPECT_THROW(ThreadPool(ThreadPool::kMaxThreads + 1), Error);
  EXPECT_GE(ThreadPool(0).size(), 1);
}

}  // namespace
}  // namespace bitnet
