// SPDX-License-Identifier: MIT OR Apache-2.0
// Everything a tracker knows, as plain values with names: what the exports write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/memory/tracking/detailed_metrics.h"
#include "bitnet/memory/tracking/profiler.h"
#include "bitnet/memory/tracking/timeline.h"
#include "bitnet/memory/tracking/tracked_pool.h"

namespace bitnet {

struct TrackingReport {
  static constexpr std::size_t kMostSites = 200;

  struct Stack {
    std::uint32_t site = 0;
    std::vector<std::string> frames;  // innermost first
  };

  DetailedMemoryMetrics detail;
  std::uint64_t time_ms = 0;            // since the tracker began
  std::vector<TimelinePoint> timeline;  // scaled up from the sample
  std::uint64_t timeline_resolution_ms = 1;
  std::vector<std::string> series;     // names of the timeline's series, by index
  std::vector<std::string> tag_names;  // by index
  std::vector<SiteStats> sites;        // by live bytes, at most kMostSites
  std::vector<Stack> stacks;           // of all sites named in this report
  PeakWatch::Peak peak;                // since the tracker began; scaled up
  std::vector<FragmentationRange> map;
  LeakReport leaks;                      // searched now, with the config's leak_min_age
  std::optional<ProfileReport> profile;  // the running one

  const std::string& tag_name(std::uint16_t tag) const;
  const std::vector<std::string>& frames(std::uint32_t site) const;  // empty where not taken
};

}  // namespace bitnet
