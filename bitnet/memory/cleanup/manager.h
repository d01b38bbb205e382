// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs cleanup strategies: by hand, or by the scheduler when they are due.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "bitnet/memory/cleanup/config.h"
#include "bitnet/memory/cleanup/metrics.h"
#include "bitnet/memory/cleanup/scheduler.h"
#include "bitnet/memory/cleanup/strategy.h"

namespace bitnet {

/// Thread-safe. One run at a time.
class CleanupManager {
 public:
  /// `target` must outlive the manager. `clock` is injected by tests. Throws
  /// Error{invalid_argument} for a bad config.
  CleanupManager(const CleanupConfig& config, CleanupTarget& target,
                 std::function<CleanupClock::time_point()> clock = CleanupClock::now);
  /// stop().
  ~CleanupManager();
  CleanupManager(const CleanupManager&) = delete;
  CleanupManager& operator=(const CleanupManager&) = delete;

  /// Starts the scheduler's thread; nothing where it runs or config.scheduler.enabled is false.
  /// Throws Error{out_of_memory} where the system gives no thread: cleanup by hand works still.
  void start();
  /// cancel(), and joins the thread.
  void stop() noexcept;
  bool running() const noexcept { return scheduler_.running(); }
  /// The run in progress, of any thread, ends before its next step and is not complete.
  void cancel() noexcept { cancelled_ = true; }

  /// Memory is short by so much (0 to 1): wakes the scheduler. Cheap; any thread. The highest
  /// pressure since the last look counts, so that none is lost. What is no number counts as 0.
  void on_pressure(double ratio) noexcept;

  // Runs by hand. What a strategy throws is in the report.
  /// One run of the default strategy (features.smart: of the one that the figures ask for).
  CleanupReport run();
  /// One run of each of these, in this order, due or not.
  std::vector<CleanupReport> run(std::span<const CleanupKind> kinds);
  CleanupReport run(CleanupKind kind);
  /// Everything of one device, or of the host, goes back that nobody uses.
  CleanupReport run_device(Device device);

  /// What the scheduler's thread does each time it wakes: runs all that is due, highest priority
  /// first. Returns how many runs there were.
  int run_due();
  /// Until the thread looks again: the interval, longer while nothing comes back.
  std::chrono::milliseconds current_interval() const noexcept;

  /// No run is in progress between these two: for the one who forks the process.
  void pause() { run_mutex_.lock(); }
  void resume() { run_mutex_.unlock(); }

  const CleanupConfig& config() const noexcept { return config_; }
  const CleanupMetrics& metrics() const noexcept { return metrics_; }

 private:
  struct Entry {
    std::unique_ptr<CleanupStrategy> strategy;
    bool enabled = false;
    std::uint8_t priority = 0;
    std::optional<CleanupClock::time_point> last_run;
    std::uint32_t retries_left = 0;  // of a run that failed
  };

  Entry& entry(CleanupKind kind) { return entries_[static_cast<std::size_t>(kind)]; }
  CleanupSituation situation(const Entry& entry, double pressure) const;
  /// Runs `body(CleanupRun&)` and remembers how it went; false: it threw.
  template <class Body>
  bool record(CleanupReport& report, const CleanupFigures& before, std::optional<Device> device,
              CleanupClock::time_point deadline, Body&& body);
  CleanupReport execute(Entry& entry, const CleanupSituation& situation, bool manual);
  CleanupKind choose(const CleanupSituation& situation) const;

  const CleanupConfig config_;
  CleanupTarget& target_;
  const std::function<CleanupClock::time_point()> clock_;
  std::mutex run_mutex_;
  std::array<Entry, kCleanupKinds> entries_;
  CleanupMetrics metrics_;
  std::atomic<double> pressure_{0.0};       // now
  std::atomic<double> peak_pressure_{0.0};  // since the last look
  std::atomic<std::int64_t> interval_ms_;
  std::atomic<bool> cancelled_{false};  // the run in progress
  std::atomic<bool> stopping_{false};   // what the thread runs
  CleanupScheduler scheduler_;          // last: its thread uses the rest
};

}  // namespace bitnet
