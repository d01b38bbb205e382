// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool's counters and what tracking found out about it, as one value.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet/memory/metrics.h"
#include "bitnet/memory/tracking/leaks.h"
#include "bitnet/memory/tracking/lifetimes.h"
#include "bitnet/memory/tracking/patterns.h"
#include "bitnet/memory/tracking/pressure.h"
#include "bitnet/memory/tracking/stats.h"

namespace bitnet {

/// What tracking itself takes, measured.
struct TrackingOverhead {
  double busy_seconds = 0;           // of the tracker's thread, and of reports
  double wall_seconds = 0;           // since the tracker began
  std::uint64_t resident_bytes = 0;  // rings, tables, timeline
  double percent() const noexcept {
    return wall_seconds > 0 ? 100 * busy_seconds / wall_seconds : 0.0;
  }
};

struct EventCounts {
  std::uint64_t seen = 0;
  std::uint64_t lost = 0;        // rings were full
  std::uint64_t unmatched = 0;   // allocations or frees whose counterpart was lost
  std::uint64_t reconciled = 0;  // entries dropped: their free was lost, or may have been
  std::uint64_t untracked = 0;   // allocations beyond the live table's limit
  /// Rounds of the tracker's thread that ended early: memory was short, or a source threw.
  std::uint64_t failed_rounds = 0;
};

struct DetailedMemoryMetrics {
  static constexpr std::size_t kTop = 20;

  MemoryMetrics memory;  // the pool's; empty without one
  TrackingLevel level = TrackingLevel::none;
  double sampling_rate = 1.0;
  PressureLevel pressure_level = PressureLevel::none;
  PressureReading pressure;  // the last
  /// Of the free bytes of small and large blocks, the share that their largest ranges do not hold.
  double fragmentation_ratio = 0;
  LeakReport leaks;  // of the last periodic search; blocks of the sample
  std::vector<PatternFinding> patterns;
  Lifetimes lifetimes;  // of blocks of the sample
  BlockStats blocks;    // from events, scaled up from the sample, as are the two that follow
  std::vector<TagStats> top_tags;    // by live bytes
  std::vector<SiteStats> top_sites;  // by live bytes of the blocks whose stacks were taken
  TrackingOverhead overhead;
  EventCounts events;
};

}  // namespace bitnet
