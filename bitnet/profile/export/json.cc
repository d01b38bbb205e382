// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/export/json.h"

#include <algorithm>
#include <optional>
#include <span>

#include "bitnet/base/json_writer.h"

namespace bitnet::profile {
namespace {

void member_if_known(JsonWriter& json, std::string_view name, double value) {
  json.key(name);
  if (value > 0)
    json.value(value);
  else
    json.null();
}

void member_if_known(JsonWriter& json, std::string_view name, std::optional<std::uint64_t> value) {
  json.key(name);
  if (value)
    json.value(*value);
  else
    json.null();
}

void write_facts(JsonWriter& json, const Document& document) {
  json.key("facts").begin_object();
  for (const auto& [name, value] : document.facts) json.member(valid_utf8(name), valid_utf8(value));
  json.end_object();
}

void write_machine(JsonWriter& json, const Roof& roof, const HardwareCounts& counts) {
  json.key("roof").begin_object();
  member_if_known(json, "read_bytes_per_second", roof.read_bytes_per_second);
  member_if_known(json, "float_ops_per_second", roof.float_ops_per_second);
  member_if_known(json, "int8_ops_per_second", roof.int8_ops_per_second);
  json.member("float_kernel", valid_utf8(roof.float_kernel));
  json.member("int8_kernel", valid_utf8(roof.int8_kernel)).end_object();
  json.key("hardware").begin_object();
  member_if_known(json, "cycles", counts.cycles);
  member_if_known(json, "instructions", counts.instructions);
  member_if_known(json, "cache_misses", counts.cache_misses);
  json.member("threads", counts.threads).member("running_share", counts.running_share);
  json.member("unavailable", valid_utf8(counts.unavailable)).end_object();
}

void write_totals(JsonWriter& json, const Totals& t) {
  json.member("count", t.count).member("seconds", t.seconds);
  json.member("self_seconds", t.self_seconds).member("mean_seconds", t.mean_seconds());
  json.member("bytes", t.work.bytes).member("float_ops", t.work.float_ops);
  json.member("int8_ops", t.work.int8_ops);
}

void write_ops(JsonWriter& json, const Document& document) {
  const double all = document.report.self_seconds();
  json.key("ops").begin_array();
  for (const Op& op : document.report.ops) {
    const Totals& t = op.totals;
    json.begin_object().member("name", valid_utf8(op.name));
    write_totals(json, t);
    json.member("share", all > 0 ? t.self_seconds / all : 0.0);
    member_if_known(json, "ops_per_byte", t.intensity());
    member_if_known(json, "bytes_per_second", t.bytes_per_second());
    member_if_known(json, "ops_per_second", t.ops_per_second());
    member_if_known(json, "share_of_bandwidth", share_of_bandwidth(t, document.roof));
    member_if_known(json, "share_of_peak", share_of_peak(t, document.roof));
    json.end_object();
  }
  json.end_array();
}

void write_calls(JsonWriter& json, const Report& report) {
  json.key("calls").begin_array();
  for (const Call& call : report.calls) {
    json.begin_object().member("name", valid_utf8(call.name)).member("parent", call.parent);
    write_totals(json, call.totals);
    json.end_object();
  }
  json.end_array();
}

// How many of the first `most` events belong to outermost spans that are whole there.
std::size_t whole_spans(const Report& report, std::size_t most) {
  std::size_t whole = std::min(most, report.events.size());
  const auto is_outermost = [&](const Event& e) {
    return report.calls[static_cast<std::size_t>(e.call)].parent < 0;
  };
  while (whole > 0 && whole < report.events.size() && !is_outermost(report.events[whole])) --whole;
  return whole;
}

void write_events(JsonWriter& json, const Report& report, std::size_t most) {
  const std::span all(report.events);
  std::size_t earliest = all.size(), latest = 0;
  if (all.size() > most) {
    earliest = whole_spans(report, most / 10);
    latest = most - earliest;
  }
  json.member("events_left_out", std::uint64_t{all.size() - earliest - latest});
  json.key("events").begin_array();
  for (const std::span part : {all.first(earliest), all.last(latest)})
    for (const Event& e : part) {
      json.begin_array().value(e.call).value(e.lane);
      json.value(to_microseconds(e.begin_seconds)).value(to_microseconds(e.seconds)).end_array();
    }
  json.end_array();
}

std::string write(const Document& document, std::optional<std::size_t> most_events) {
  const Report& report = document.report;
  JsonWriter json;
  json.begin_object().member("schema", "bitnet.profile/1");
  write_facts(json, document);
  json.member("seconds", report.seconds).member("threads_with_spans", report.lanes);
  json.member("kept_events", std::uint64_t{report.events.size()});
  json.member("lost_events", report.lost_events);
  json.member("unrecorded_spans", report.unrecorded_spans);
  write_machine(json, document.roof, document.hardware);
  write_ops(json, document);
  write_calls(json, report);
  if (most_events) write_events(json, report, *most_events);
  return json.end_object().text();
}

}  // namespace

std::string to_json(const Document& document) { return write(document, std::nullopt); }

std::string to_json_with_events(const Document& document, std::size_t most_events) {
  return write(document, most_events);
}

}  // namespace bitnet::profile
