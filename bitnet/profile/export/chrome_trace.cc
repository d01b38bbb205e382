// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/export/chrome_trace.h"

#include "bitnet/base/json_writer.h"
#include "bitnet/profile/export/document.h"

namespace bitnet::profile {
namespace {

JsonWriter& begin_event(JsonWriter& json, std::string_view phase, std::string_view name, int lane) {
  json.begin_object().member("ph", phase).member("name", valid_utf8(name));
  return json.member("pid", 1).member("tid", lane + 1);
}

void name_row(JsonWriter& json, std::string_view what, std::string_view name, int lane) {
  begin_event(json, "M", what, lane).member("ts", 0).key("args").begin_object();
  json.member("name", name).end_object().end_object();
}

}  // namespace

std::string to_chrome_trace(const Report& report) {
  JsonWriter json;
  json.begin_object().member("displayTimeUnit", "ns").key("otherData").begin_object();
  json.member("schema", "bitnet.profile_trace/1").member("lost_events", report.lost_events);
  json.member("unrecorded_spans", report.unrecorded_spans).end_object();
  json.key("traceEvents").begin_array();
  name_row(json, "process_name", "bitnet", 0);
  for (int lane = 0; lane < report.lanes; ++lane)
    name_row(json, "thread_name", "lane " + std::to_string(lane), lane);
  for (const Event& e : report.events) {
    const Call& call = report.calls[static_cast<std::size_t>(e.call)];
    begin_event(json, "X", call.name, e.lane).member("cat", "op");
    json.member("ts", to_microseconds(e.begin_seconds)).member("dur", to_microseconds(e.seconds));
    json.end_object();
  }
  return json.end_array().end_object().text();
}

}  // namespace bitnet::profile
