// SPDX-License-Identifier: MIT OR Apache-2.0
// One background thread that looks at its work from time to time, or when it is woken.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

namespace bitnet {

/// Thread-safe; only the thread itself may not call start() and stop(). In the child of a fork no
/// thread runs until start().
class CleanupScheduler {
 public:
  /// `look` does what is due and says when to look again; called by the thread alone. What it
  /// throws does not end the thread.
  explicit CleanupScheduler(std::function<std::chrono::milliseconds()> look)
      : look_(std::move(look)) {}
  ~CleanupScheduler();
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
  struct Worker;
  /// This process's; nullptr before its first start().
  Worker* worker() const noexcept;
  void loop(Worker& worker);

  const std::function<std::chrono::milliseconds()> look_;
  std::atomic<Worker*> worker_{nullptr};
};

}  // namespace bitnet
