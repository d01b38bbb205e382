// SPDX-License-Identifier: MIT OR Apache-2.0
// When one kind of cleanup has something to do, and what it does then.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bitnet/memory/cleanup/config.h"
#include "bitnet/memory/cleanup/target.h"

namespace bitnet {

/// "idle", "pressure", …
std::string_view to_string(CleanupKind kind) noexcept;

/// What a strategy decides on.
struct CleanupSituation {
  CleanupFigures figures;
  double pressure = 0.0;  // 0 to 1
  CleanupClock::time_point now;
  std::optional<CleanupClock::time_point> last_run;  // of this strategy
  std::vector<Device> devices;                       // all but the host, or the chosen one
};

/// Steps of one run, within its limits of time and blocks.
class CleanupRun {
 public:
  /// Once `cancelled` is set, no step or batch begins.
  CleanupRun(const CleanupConfig& config, CleanupTarget& target, CleanupClock::time_point deadline,
             const std::atomic<bool>& cancelled)
      : config_(config), target_(target), deadline_(deadline), cancelled_(cancelled) {}

  /// Memory freed at least `age` ago (and the config's least age), of all devices or one.
  void trim(CleanupClock::duration age, std::optional<Device> device = {},
            std::uint64_t min_block_bytes = 0);
  void compact();
  void compress(CleanupClock::duration age);

  /// Sums; complete where each step was.
  const CleanupResult& result() const noexcept { return result_; }

 private:
  template <class Step>
  void in_batches(Step&& step);
  bool is_cancelled() noexcept;
  void add(const CleanupResult& more) noexcept;

  const CleanupConfig& config_;
  CleanupTarget& target_;
  const CleanupClock::time_point deadline_;
  const std::atomic<bool>& cancelled_;
  CleanupResult result_;
  std::uint64_t blocks_ = 0;
};

class CleanupStrategy {
 public:
  virtual ~CleanupStrategy() = default;
  virtual CleanupKind kind() const noexcept = 0;
  /// Whether the scheduler should run it now.
  virtual bool due(const CleanupConfig& config, const CleanupSituation& situation) const = 0;
  virtual void run(const CleanupConfig& config, const CleanupSituation& situation,
                   CleanupRun& run) const = 0;
};

std::unique_ptr<CleanupStrategy> make_idle_strategy();          // idle.cc
std::unique_ptr<CleanupStrategy> make_pressure_strategy();      // pressure.cc
std::unique_ptr<CleanupStrategy> make_periodic_strategy();      // periodic.cc
std::unique_ptr<CleanupStrategy> make_device_strategy();        // device.cc
std::unique_ptr<CleanupStrategy> make_generational_strategy();  // generational.cc

}  // namespace bitnet
