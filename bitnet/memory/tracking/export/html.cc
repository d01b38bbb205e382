// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/export/html.h"

#include <chrono>

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

/// JSON inside a script element must not end it.
std::string embedded(const std::string& json) {
  std::string out;
  for (const char c : json) out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

}  // namespace

std::string to_html(const TrackingReport& report) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>Memory report</title>\n<style>";
  page += kPageStyle;
  page += "</style>\n</head>\n";
  page += kPageBody;
  page += "<script id=\"data\" type=\"application/json\">";
  page += embedded(to_json(reduced(report)));
  page += "</script>\n<script>\n\"use strict\";";
  page += kPageCharts;
  page += kPageTables;
  return page + "</script>\n</body>\n</html>\n";
}

}  // namespace bitnet
