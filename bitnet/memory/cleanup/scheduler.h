// SPDX-License-Identifier: MIT OR Apache-2.0
// One background thread that looks at its work from time to time, or when it is woken.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace bitnet {

/// Thread-safe.
class CleanupScheduler {
 public:
  /// `look` does what is due and says when to look again; called by the thread alone. What it
  /// throws does not end the thread.
  explicit CleanupScheduler(std::function<std::chrono::milliseconds()> look)
      : look_(std::move(look)) {}
  ~CleanupScheduler() { stop(); }
  CleanupScheduler(const CleanupScheduler&) = delete;
  CleanupScheduler& operator=(const CleanupScheduler&) = delete;

  /// Throws Error{out_of_memory} where the system gives no thread. Nothing where it runs.
  void start();
  /// Returns when the thread has ended. Nothing where none runs.
  void stop() noexcept;
  /// Has the thread look now.
  void wake() noexcept;
  bool running() const noexcept;

 private:
  void loop();

  const std::function<std::chrono::milliseconds()> look_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false, stopping_ = false;
  std::thread thread_;
  int process_ = 0;  // that started it: in the child of a fork there is no thread to join
};

}  // namespace bitnet
