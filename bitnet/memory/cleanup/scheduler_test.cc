// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/scheduler.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;

// Counts looks; wait_for(n) returns when there were n.
struct Looks {
  std::mutex mutex;
  std::condition_variable changed;
  int count = 0;

  void add() {
    const std::lock_guard lock(mutex);
    ++count;
    changed.notify_all();
  }
  void wait_for(int n) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return count >= n; });
  }
};

constexpr milliseconds kNever = std::chrono::hours(1);

TEST(CleanupScheduler, LooksAtOnceWhenWokenAndAfterTheInterval) {
  Looks looks;
  std::atomic<milliseconds> interval = kNever;
  CleanupScheduler scheduler([&] {
    looks.add();
    return interval.load();
  });
  EXPECT_FALSE(scheduler.running());
  scheduler.wake();
  scheduler.start();
  scheduler.start();
  EXPECT_TRUE(scheduler.running());
  looks.wait_for(1);
  interval = milliseconds(1);
  scheduler.wake();
  looks.wait_for(5);
  scheduler.stop();
  scheduler.stop();
  EXPECT_FALSE(scheduler.running());
  const int before = looks.count;
  scheduler.wake();
  EXPECT_EQ(looks.count, before);
  scheduler.start();
  looks.wait_for(before + 1);
}

TEST(CleanupScheduler, SurvivesWhatALookThrows) {
  Looks looks;
  CleanupScheduler scheduler([&]() -> milliseconds {
    looks.add();
    if (looks.count == 1) throw std::runtime_error("no");
    if (looks.count == 2) throw 3;
    return kNever;
  });
  scheduler.start();
  for (int n = 1; n <= 3; ++n) {
    looks.wait_for(n);
    scheduler.wake();
  }
  looks.wait_for(4);
}

TEST(CleanupScheduler, StartsAndStopsFromManyThreadsAtOnce) {
  Looks looks;
  CleanupScheduler scheduler([&] {
    looks.add();
    return kNever;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        scheduler.start();
        scheduler.wake();
        scheduler.stop();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(scheduler.running());
}

TEST(CleanupScheduler, AThreadThatTheSystemRefusesIsAnErrorAndCanBeHadLater) {
  Looks looks;
  CleanupScheduler scheduler([&] {
    looks.add();
    return kNever;
  });
  os::fail_call(os::Call::start_thread, 1);
  try {
    scheduler.start();
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::out_of_memory);
  }
  EXPECT_FALSE(scheduler.running());
  scheduler.start();
  looks.wait_for(1);
}

TEST(CleanupScheduler, TheChildOfAForkHasNoThreadAndDoesNotHang) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  Looks looks;
  auto* scheduler = new CleanupScheduler([&] {
    looks.add();
    return kNever;
  });
  scheduler->start();
  looks.wait_for(1);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);  // a child that hangs ends by a signal
    const bool none = !scheduler->running();
    for (int i = 0; i < 3; ++i) scheduler->wake();
    scheduler->stop();
    const int before = looks.count;
    scheduler->start();
    while (true) {
      const std::lock_guard lock(looks.mutex);
      if (looks.count > before) break;
    }
    scheduler->stop();
    delete scheduler;
    _exit(none ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(scheduler->running());
  delete scheduler;
}

}  // namespace
}  // namespace bitnet
