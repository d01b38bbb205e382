// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/pressure.h"

#include <algorithm>
#include <condition_variable>
#include <thread>
#include <utility>

namespace bitnet {
namespace {

PressureLevel level_of_ratio(std::uint64_t used, double full, PressureLevel now,
                             const PressureThresholds& t) {
  const double ratio = static_cast<double>(used) / full;
  const auto reached = [&](PressureLevel level, double threshold) {
    return ratio >= threshold - (level <= now ? t.hysteresis : 0.0);
  };
  if (reached(PressureLevel::critical, t.critical)) return PressureLevel::critical;
  if (reached(PressureLevel::high, t.high)) return PressureLevel::high;
  if (reached(PressureLevel::medium, t.medium)) return PressureLevel::medium;
  if (reached(PressureLevel::low, t.low)) return PressureLevel::low;
  return PressureLevel::none;
}

PressureLevel level_of_stalls(const os::MemoryPressure& system) {
  constexpr StallThresholds kStalls;
  const double some = system.some_avg10.value_or(0), full = system.full_avg10.value_or(0);
  if (full >= kStalls.full_critical) return PressureLevel::critical;
  if (full >= kStalls.full_high) return PressureLevel::high;
  if (some >= kStalls.some_medium) return PressureLevel::medium;
  if (some >= kStalls.some_low) return PressureLevel::low;
  return PressureLevel::none;
}

PressureLevel level_of_events(const os::MemoryEvents& before, const os::MemoryEvents& now) {
  if (now.oom > before.oom) return PressureLevel::critical;
  if (now.max > before.max) return PressureLevel::high;
  if (now.high > before.high) return PressureLevel::medium;
  return PressureLevel::none;
}

}  // namespace

std::string_view to_string(PressureLevel level) noexcept {
  switch (level) {
    case PressureLevel::none:
      return "none";
    case PressureLevel::low:
      return "low";
    case PressureLevel::medium:
      return "medium";
    case PressureLevel::high:
      return "high";
    case PressureLevel::critical:
      return "critical";
  }
  return "unknown";
}

PressureLevel pressure_level(const PressureReading& reading, PressureLevel now,
                             const PressureThresholds& thresholds, double pool_full_ratio,
                             const std::optional<os::MemoryEvents>& before) {
  const os::MemoryPressure& system = reading.system;
  PressureLevel worst = level_of_stalls(system);
  const auto add_ratio = [&](std::uint64_t used, double full) {
    worst = std::max(worst, level_of_ratio(used, full, now, thresholds));
  };
  if (system.total_bytes > 0)
    add_ratio(system.total_bytes - std::min(system.total_bytes, system.available_bytes),
              static_cast<double>(system.total_bytes));
  if (system.group_limit_bytes && system.group_used_bytes)
    add_ratio(*system.group_used_bytes, static_cast<double>(*system.group_limit_bytes));
  if (reading.pool_limit_bytes > 0)
    add_ratio(reading.pool_bytes, pool_full_ratio * static_cast<double>(reading.pool_limit_bytes));
  if (before && system.group_events)
    worst = std::max(worst, level_of_events(*before, *system.group_events));
  return worst;
}

struct PressureRegistration::Entry {
  PressureCallback callback;
  std::mutex mutex;
  std::condition_variable ended;
  bool removed = false;
  std::vector<std::thread::id> callers;  // of calls under way
};

void PressureRegistration::reset() noexcept {
  const std::shared_ptr<Entry> entry = std::move(entry_);
  entry_ = nullptr;
  if (!entry) return;
  std::unique_lock lock(entry->mutex);
  entry->removed = true;
  const auto own = std::this_thread::get_id();
  entry->ended.wait(lock, [&] {
    return std::all_of(entry->callers.begin(), entry->callers.end(),
                       [&](std::thread::id caller) { return caller == own; });
  });
}

PressureRegistration PressureCallbacks::add(PressureCallback callback) {
  PressureRegistration registration;
  registration.entry_ = std::make_shared<PressureRegistration::Entry>();
  registration.entry_->callback = std::move(callback);
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& entry) { return entry.expired(); });
  entries_.push_back(registration.entry_);
  return registration;
}

void PressureCallbacks::notify(PressureLevel level) {
  std::vector<std::weak_ptr<PressureRegistration::Entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries = entries_;
  }
  for (const auto& weak : entries) {
    const auto entry = weak.lock();
    if (!entry) continue;
    {
      const std::lock_guard lock(entry->mutex);
      if (entry->removed) continue;
      entry->callers.push_back(std::this_thread::get_id());
    }
    try {
      entry->callback(level);
    } catch (...) {  // the callback's affair; the next one is told all the same
      const std::lock_guard lock(mutex_);
      ++errors_;
    }
    const std::lock_guard lock(entry->mutex);
    const auto own =
        std::find(entry->callers.begin(), entry->callers.end(), std::this_thread::get_id());
    entry->callers.erase(own);
    entry->ended.notify_all();
  }
}

std::uint64_t PressureCallbacks::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

std::vector<PressureLevel> PressureNotifier::update(PressureLevel level,
                                                    std::chrono::milliseconds now) {
  if (level != seen_) changed_ = true;
  const bool became_critical = level == PressureLevel::critical && seen_ != PressureLevel::critical;
  seen_ = level;
  highest_ = std::max(highest_, level);
  const bool cooled = !told_at_ || now - *told_at_ >= cooldown_;
  if (!changed_ || (!cooled && !became_critical)) return {};

  std::vector<PressureLevel> levels;
  if (highest_ > level && highest_ > told_) levels.push_back(highest_);
  if (level != told_ || !levels.empty() || became_critical) levels.push_back(level);
  changed_ = false;
  highest_ = level;
  if (levels.empty()) return {};  // went and came back below what was told
  told_ = level;
  told_at_ = now;
  return levels;
}

}  // namespace bitnet
