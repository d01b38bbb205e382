// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/export/html.h"

#include <chrono>

#include "bitnet/base/html_page.h"
#include "bitnet/memory/tracking/export/html_parts.h"
#include "bitnet/memory/tracking/export/json.h"
#include "bitnet/memory/tracking/timeline.h"

namespace bitnet {
namespace {

constexpr std::size_t kMostPoints = 2000;  // wider than a screen

TrackingReport reduced(const TrackingReport& report) {
  TrackingReport out = report;
  if (report.timeline.size() <= kMostPoints) return out;
  Timeline coarse(kMostPoints, std::chrono::milliseconds::max());
  for (const TimelinePoint& point : report.timeline) coarse.add(point);
  out.timeline = coarse.points();
  out.timeline_resolution_ms = coarse.resolution_ms();
  return out;
}

}  // namespace

std::string to_html(const TrackingReport& report) {
  const std::string json = to_json(reduced(report));
  return html_page({.title = "Memory report",
                    .style = kPageStyle,
                    .body = kPageBody,
                    .json = json,
                    .scripts = {kPageCharts, kPageTables}});
}

}  // namespace bitnet
