// SPDX-License-Identifier: MIT OR Apache-2.0
// How scarce memory is, and whom to tell.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "bitnet/base/os/memory_pressure.h"
#include "bitnet/memory/tracking/config.h"

namespace bitnet {

enum class PressureLevel : std::uint8_t { none, low, medium, high, critical };
std::string_view to_string(PressureLevel level) noexcept;

/// The README's name of it.
using MemoryPressureLevel = PressureLevel;

/// What a level is derived from.
struct PressureReading {
  os::MemoryPressure system;
  std::uint64_t pool_bytes = 0;        // what the pool holds of its limit
  std::uint64_t pool_limit_bytes = 0;  // 0: none
};

/// Shares of wall time in which tasks waited for memory (PSI, avg10), in percent. The orders of
/// magnitude of Android's lmkd (7 % partial, 70 % complete stall) and systemd-oomd (60 % full).
struct StallThresholds {
  double some_low = 7;
  double some_medium = 20;
  double full_high = 10;
  double full_critical = 40;
};

/// The level of one reading; the worst of machine, control group, pool, and stalls. Thresholds up
/// to the level `now` are lowered by the hysteresis. `before`: the events of the last reading: a
/// new `high` is medium, a new `max` is high, a new `oom` is critical.
PressureLevel pressure_level(const PressureReading& reading, PressureLevel now,
                             const PressureThresholds& thresholds, double pool_full_ratio = 1.0,
                             const std::optional<os::MemoryEvents>& before = std::nullopt);

using PressureCallback = std::function<void(PressureLevel)>;

class PressureCallbacks;

/// Unregisters when destroyed, and waits for a call of its callback that is under way, unless it
/// is that call that destroys it. May outlive the pool.
class PressureRegistration {
 public:
  PressureRegistration() = default;
  PressureRegistration(PressureRegistration&& other) noexcept { swap(other); }
  PressureRegistration& operator=(PressureRegistration&& other) noexcept {
    PressureRegistration(std::move(other)).swap(*this);
    return *this;
  }
  PressureRegistration(const PressureRegistration&) = delete;
  PressureRegistration& operator=(const PressureRegistration&) = delete;
  ~PressureRegistration() { reset(); }

  void reset() noexcept;
  void swap(PressureRegistration& other) noexcept { entry_.swap(other.entry_); }
  explicit operator bool() const noexcept { return entry_ != nullptr; }

 private:
  friend class PressureCallbacks;
  struct Entry;
  std::shared_ptr<Entry> entry_;
};

/// The callbacks of one pool. Thread-safe.
class PressureCallbacks {
 public:
  PressureRegistration add(PressureCallback callback);
  /// Calls all with no lock held. What a callback throws is counted, the others are still called.
  void notify(PressureLevel level);
  std::uint64_t errors() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<PressureRegistration::Entry>> entries_;
  std::uint64_t errors_ = 0;
};

/// Turns a series of levels into notifications: each change is told, at most one batch in a
/// cooldown. What happened inside a cooldown is told at its end: first the highest level reached,
/// then, where it differs, the level that holds now. Critical is told at once.
class PressureNotifier {
 public:
  explicit PressureNotifier(std::chrono::milliseconds cooldown) : cooldown_(cooldown) {}
  /// Levels to tell now, in order: at most two.
  std::vector<PressureLevel> update(PressureLevel level, std::chrono::milliseconds now);

 private:
  std::chrono::milliseconds cooldown_;
  std::optional<std::chrono::milliseconds> told_at_;
  PressureLevel told_ = PressureLevel::none;
  PressureLevel seen_ = PressureLevel::none;
  PressureLevel highest_ = PressureLevel::none;  // since told_at_
  bool changed_ = false;                         // since told_at_
};

}  // namespace bitnet
