// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/scheduler.h"

#include <system_error>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/threads.h"

namespace bitnet {

void CleanupScheduler::start() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) return;
  stopping_ = false;
  try {
    if (os::must_fail(os::Call::start_thread))
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error& e) {
    fail(Errc::out_of_memory, std::string("memory pool: no thread for cleanup: ") + e.what());
  }
  process_ = os::process_id();
}

void CleanupScheduler::stop() noexcept {
  std::thread ending;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ending = std::move(thread_);
  }
  changed_.notify_all();
  if (!ending.joinable()) return;
  if (process_ == os::process_id())
    ending.join();
  else
    ending.detach();  // it exists in the parent alone
}

void CleanupScheduler::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

bool CleanupScheduler::running() const noexcept {
  const std::lock_guard lock(mutex_);
  return thread_.joinable();
}

void CleanupScheduler::loop() {
  std::chrono::milliseconds wait{0};
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, wait, [&] { return woken_ || stopping_; });
      if (stopping_) return;
      woken_ = false;
    }
    try {
      wait = look_();
    } catch (const std::exception&) {
      // Out of memory for a report, say: the next look may do better.
      wait = std::chrono::seconds(1);
    }
  }
}

}  // namespace bitnet
