// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/config.h"

#include <charconv>
#include <string>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostTimelineEntries = 1'000'000;
constexpr milliseconds kLongest = std::chrono::hours(24 * 365);

std::string text(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

[[noreturn]] void refuse(const std::string& field, const std::string& value,
                         const std::string& range) {
  fail(Errc::invalid_argument, field + " is " + value + "; must be in " + range);
}

/// (least, most]: a NaN is in no range.
void require_share(const char* field, double value, double least, double most) {
  if (!(value > least && value <= most))
    refuse(field, text(value), "(" + text(least) + ", " + text(most) + "]");
}

void require_time(const char* field, milliseconds value, milliseconds least, milliseconds most) {
  if (value < least || value > most)
    refuse(field, std::to_string(value.count()) + " ms",
           "[" + std::to_string(least.count()) + ", " + std::to_string(most.count()) + "] ms");
}

}  // namespace

PressureThresholds PressureThresholds::production() {
  return {.low = 0.6,
          .medium = 0.75,
          .high = 0.85,
          .critical = 0.92,
          .notification_cooldown = seconds(60)};
}

PressureThresholds PressureThresholds::conservative() {
  return {.low = 0.5,
          .medium = 0.65,
          .high = 0.8,
          .critical = 0.9,
          .notification_cooldown = seconds(15)};
}

PressureThresholds PressureThresholds::aggressive() {
  return {.low = 0.8,
          .medium = 0.9,
          .high = 0.95,
          .critical = 0.98,
          .notification_cooldown = seconds(45)};
}

void PressureThresholds::validate() const {
  require_share("pressure_thresholds.low", low, 0, 1);
  require_share("pressure_thresholds.medium", medium, low, 1);
  require_share("pressure_thresholds.high", high, medium, 1);
  require_share("pressure_thresholds.critical", critical, high, 1);
  if (!(hysteresis >= 0 && hysteresis < low))
    refuse("pressure_thresholds.hysteresis", text(hysteresis), "[0, " + text(low) + ")");
  require_time("pressure_thresholds.notification_cooldown", notification_cooldown, milliseconds(0),
               seconds(300));
}

TrackingConfig TrackingConfig::minimal() {
  return {.level = TrackingLevel::basic,
          .enable_pressure_detection = false,
          .enable_timeline = false,
          .enable_leak_detection = false,
          .max_timeline_entries = 0,
          .timeline_retention = seconds(0),
          .sampling_rate = 0.1,
          .enable_performance_metrics = false,
          .stats_update_interval = seconds(60),
          .max_overhead_percent = 1.0};
}

TrackingConfig TrackingConfig::standard() { return {}; }

TrackingConfig TrackingConfig::detailed() {
  return {.level = TrackingLevel::detailed,
          .enable_patterns = true,
          .max_timeline_entries = 50'000,
          .timeline_retention = seconds(7200),
          .stats_update_interval = seconds(10),
          .max_overhead_percent = 5.0};
}

TrackingConfig TrackingConfig::debug() {
  return {.level = TrackingLevel::detailed,
          .enable_patterns = true,
          .enable_stack_traces = true,
          .max_timeline_entries = 100'000,
          .timeline_retention = seconds(14400),
          .stats_update_interval = seconds(5),
          .max_overhead_percent = 10.0};
}

TrackingConfig TrackingConfig::production() {
  return {.enable_timeline = false,
          .max_timeline_entries = 1'000,
          .timeline_retention = seconds(300),
          .sampling_rate = 0.01,
          .stats_update_interval = seconds(120),
          .max_overhead_percent = 1.0,
          .pressure_thresholds = PressureThresholds::production()};
}

void TrackingConfig::validate() const {
  if (level > TrackingLevel::detailed)
    refuse("level", std::to_string(static_cast<int>(level)), "none .. detailed");
  const std::size_t least_entries = enable_timeline ? 2 : 0;
  if (max_timeline_entries < least_entries || max_timeline_entries > kMostTimelineEntries)
    refuse("max_timeline_entries", std::to_string(max_timeline_entries),
           "[" + std::to_string(least_entries) + ", " + std::to_string(kMostTimelineEntries) + "]");
  require_time("timeline_retention", timeline_retention, milliseconds(enable_timeline ? 1 : 0),
               kLongest);
  require_share("sampling_rate", sampling_rate, 0, 1);
  require_time("stats_update_interval", stats_update_interval, milliseconds(1), kLongest);
  require_time("leak_detection_interval", leak_detection_interval, milliseconds(1), kLongest);
  require_time("leak_min_age", leak_min_age, milliseconds(0), kLongest);
  if (!(max_overhead_percent >= 0.01 && max_overhead_percent <= 50))
    refuse("max_overhead_percent", text(max_overhead_percent), "[0.01, 50]");
  require_share("pressure_threshold_ratio", pressure_threshold_ratio, 0, 1);
  pressure_thresholds.validate();
}

}  // namespace bitnet
