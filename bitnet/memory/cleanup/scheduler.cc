// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/scheduler.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/threads.h"

namespace bitnet {

// Of one process. The child of a fork finds the parent's as it was at that moment, maybe locked and
// waited for by a thread that is not there: it must not be touched, not even destroyed.
struct CleanupScheduler::Worker {
  const int process = os::process_id();
  std::mutex lifecycle;  // held by start() and stop() throughout, taken before `mutex`
  std::mutex mutex;      // of the flags
  std::condition_variable changed;
  bool woken = false, stopping = false;
  std::atomic<bool> running{false};
  std::thread thread;
};

CleanupScheduler::Worker* CleanupScheduler::worker() const noexcept {
  Worker* w = worker_.load();
  return w && w->process == os::process_id() ? w : nullptr;
}

CleanupScheduler::~CleanupScheduler() {
  stop();
  delete worker();
}

void CleanupScheduler::start() {
  Worker* w = worker();
  if (!w) {
    auto fresh = std::make_unique<Worker>();
    Worker* before = worker_.load();
    if ((before && before->process == fresh->process) ||
        !worker_.compare_exchange_strong(before, fresh.get()))
      w = worker_.load();  // another thread's start() came first
    else
      w = fresh.release();
  }
  const std::lock_guard lock(w->lifecycle);
  if (w->thread.joinable()) return;
  w->stopping = false;
  try {
    if (os::must_fail(os::Call::start_thread))
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    w->thread = std::thread([this, w] { loop(*w); });
  } catch (const std::system_error& e) {
    fail(Errc::out_of_memory, std::string("memory pool: no thread for cleanup: ") + e.what());
  }
  w->running = true;
}

void CleanupScheduler::stop() noexcept {
  Worker* w = worker();
  if (!w) return;
  const std::lock_guard lock(w->lifecycle);
  if (!w->thread.joinable()) return;
  {
    const std::lock_guard flags(w->mutex);
    w->stopping = true;
  }
  w->changed.notify_all();
  w->thread.join();
  w->running = false;
}

void CleanupScheduler::wake() noexcept {
  Worker* w = worker();
  if (!w) return;
  {
    const std::lock_guard flags(w->mutex);
    w->woken = true;
  }
  w->changed.notify_all();
}

bool CleanupScheduler::running() const noexcept {
  const Worker* w = worker();
  return w && w->running.load();
}

void CleanupScheduler::loop(Worker& w) {
  std::chrono::milliseconds wait{0};
  for (;;) {
    {
      std::unique_lock flags(w.mutex);
      w.changed.wait_for(flags, wait, [&] { return w.woken || w.stopping; });
      if (w.stopping) return;
      w.woken = false;
    }
    try {
      wait = look_();
    } catch (...) {
      // Out of memory for a report, say: the next look may do better.
      wait = std::chrono::seconds(1);
    }
  }
}

}  // namespace bitnet
