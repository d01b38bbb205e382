// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/export/chrome_trace.h"

#include "bitnet/base/json_writer.h"
#include "bitnet/memory/tracking/export/json.h"

namespace bitnet {
namespace {

JsonWriter& begin_event(JsonWriter& json, std::string_view phase, std::string_view name,
                        std::uint64_t time_ms) {
  json.begin_object().member("ph", phase).member("name", name);
  return json.member("pid", 1).member("tid", 1).member("ts", time_ms * 1000);
}

void write_counters(JsonWriter& json, const TrackingReport& report) {
  for (const TimelinePoint& p : report.timeline) {
    begin_event(json, "C", "live bytes by tag", p.time_ms).key("args").begin_object();
    for (std::size_t i = 0; i < report.series.size(); ++i)
      json.member(valid_utf8(report.series[i]), p.series_bytes[i]);
    json.end_object().end_object();
    begin_event(json, "C", "committed bytes", p.time_ms).key("args").begin_object();
    json.member("committed", p.committed_bytes).end_object().end_object();
    begin_event(json, "C", "peak bytes", p.time_ms).key("args").begin_object();
    json.member("peak", p.peak_bytes).end_object().end_object();
  }
}

void write_instants(JsonWriter& json, const TrackingReport& report) {
  for (const LeakGroup& g : report.leaks.groups) {
    begin_event(json, "i", "leak candidates: " + valid_utf8(report.tag_name(g.tag)),
                report.time_ms);
    json.member("s", "p").key("args").begin_object().member("blocks", g.blocks);
    json.member("bytes", g.bytes).member("oldest_ms", g.oldest_ms).end_object().end_object();
  }
  for (const PatternFinding& p : report.detail.patterns) {
    begin_event(json, "i", std::string(to_string(p.kind)) + ": " + valid_utf8(p.subject),
                report.time_ms);
    json.member("s", "p").key("args").begin_object();
    for (const Evidence& e : p.evidence) json.member(e.name, e.value);
    json.end_object().end_object();
  }
}

}  // namespace

std::string to_chrome_trace(const TrackingReport& report) {
  JsonWriter json;
  json.begin_object().member("displayTimeUnit", "ms").key("traceEvents").begin_array();
  begin_event(json, "M", "process_name", 0).key("args").begin_object();
  json.member("name", "bitnet memory").end_object().end_object();
  write_counters(json, report);
  if (report.profile) {
    begin_event(json, "X", valid_utf8(report.profile->name), report.profile->begin_ms);
    json.member("dur", report.profile->duration_ms * 1000).end_object();
  }
  write_instants(json, report);
  json.end_array().end_object();
  return json.text();
}

}  // namespace bitnet
