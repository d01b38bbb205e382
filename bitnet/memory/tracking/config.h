// SPDX-License-Identifier: MIT OR Apache-2.0
// What is tracked, how much of it is kept, and when memory counts as scarce.
#pragma once

#include <chrono>
#include <cstddef>

#include "bitnet/memory/tracking/event.h"

namespace bitnet {

/// Used memory / all memory (of the machine, the cgroup, the pool) from which a level is reached.
struct PressureThresholds {
  double low = 0.7;
  double medium = 0.8;
  double high = 0.9;
  double critical = 0.95;
  /// A reached level is left once the ratio is so far below its threshold.
  double hysteresis = 0.02;
  /// Least time between two notifications; critical does not wait for it.
  std::chrono::milliseconds notification_cooldown = std::chrono::seconds(30);

  static PressureThresholds production();
  static PressureThresholds conservative();
  static PressureThresholds aggressive();

  /// Throws Error{invalid_argument} naming field, value and range.
  void validate() const;
};

/// The default is standard().
struct TrackingConfig {
  TrackingLevel level = TrackingLevel::standard;  // events of blocks are taken at detailed
  bool enable_pressure_detection = true;          // else the pressure level stays none
  bool enable_timeline = true;
  bool enable_patterns = false;
  bool enable_leak_detection = true;
  bool enable_stack_traces = false;  // sampled: at most kSitesPerSecond (sites.h)
  /// Points of the timeline, 160 bytes each; at this number neighbours are merged.
  std::size_t max_timeline_entries = 10'000;
  std::chrono::milliseconds timeline_retention = std::chrono::hours(1);
  /// Share of addresses whose allocations and frees are events, (0, 1].
  double sampling_rate = 1.0;
  bool enable_performance_metrics = true;  // lifetimes of blocks, by tag and by size
  /// Between two readings of the pool's own counters (and of dead entries in the live table).
  std::chrono::milliseconds stats_update_interval = std::chrono::seconds(30);
  std::chrono::milliseconds leak_detection_interval = std::chrono::seconds(60);
  /// Blocks older than this are candidates of the periodic search.
  std::chrono::milliseconds leak_min_age = std::chrono::minutes(5);
  /// Percent of one core that the tracker's thread may take, [0.01, 50]: it sleeps longer rather
  /// than take more, and events that do not fit meanwhile are counted as lost.
  double max_overhead_percent = 3.0;
  /// Share of its own limit at which a pool counts as full, (0, 1]: the thresholds are shares of
  /// that share.
  double pressure_threshold_ratio = 1.0;
  PressureThresholds pressure_thresholds = {};

  static TrackingConfig minimal();
  static TrackingConfig standard();
  static TrackingConfig detailed();
  static TrackingConfig debug();
  static TrackingConfig production();

  /// Throws Error{invalid_argument} naming field, value and range.
  void validate() const;
};

}  // namespace bitnet
