// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/export/json.h"

#include <cstdio>

namespace bitnet {
namespace {

std::string hex(std::uint64_t address) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return text;
}

void write_part(JsonWriter& json, const char* name, const PartMetrics& part) {
  json.key(name).begin_object();
  json.member("live_bytes", part.live_bytes).member("committed_bytes", part.committed_bytes);
  json.member("peak_committed_bytes", part.peak_committed_bytes);
  json.member("free_bytes", part.free_bytes).member("largest_free_bytes", part.largest_free_bytes);
  json.member("limit_bytes", part.limit_bytes).member("fragmentation", part.fragmentation());
  json.end_object();
}

void write_memory(JsonWriter& json, const MemoryMetrics& m) {
  json.key("memory").begin_object();
  json.member("live_bytes", m.live_bytes).member("peak_bytes", m.peak_bytes);
  json.member("live_blocks", m.live_blocks).member("total_allocations", m.total_allocations);
  json.member("total_bytes", m.total_bytes).member("failed_allocations", m.failed_allocations);
  json.member("waste_bytes", m.waste_bytes).member("metadata_bytes", m.metadata_bytes);
  write_part(json, "small", m.small);
  write_part(json, "large", m.large);
  json.key("devices").begin_array();
  for (const DeviceMetrics& d : m.devices) {
    json.begin_object().member("device", to_string(d.device));
    json.member("live_blocks", d.live_blocks).member("live_bytes", d.live_bytes);
    json.member("peak_bytes", d.peak_bytes).member("failed_allocations", d.failed_allocations);
    json.end_object();
  }
  json.end_array().key("classes").begin_array();
  for (const ClassMetrics& c : m.classes) {
    json.begin_object().member("block_bytes", std::uint64_t{c.block_bytes});
    json.member("live_blocks", c.live_blocks).member("allocations", c.allocations).end_object();
  }
  json.end_array();
  const CompressionMetrics& packed = m.compression;
  json.key("compression").begin_object();
  json.member("blocks", packed.blocks).member("ratio", packed.ratio());
  json.member("bytes_before", packed.bytes_before).member("bytes_after", packed.bytes_after);
  json.member("packed", packed.packed).member("refused", packed.refused);
  json.member("unpacked", packed.unpacked).member("compress_ns", packed.compress_ns);
  json.member("decompress_ns", packed.decompress_ns).end_object().end_object();
}

void write_pressure(JsonWriter& json, const DetailedMemoryMetrics& d) {
  const os::MemoryPressure& system = d.pressure.system;
  json.key("pressure").begin_object().member("level", to_string(d.pressure_level));
  json.member("machine_total_bytes", system.total_bytes);
  json.member("machine_available_bytes", system.available_bytes);
  if (system.some_avg10) json.member("stall_some_percent", *system.some_avg10);
  if (system.full_avg10) json.member("stall_full_percent", *system.full_avg10);
  if (system.group_limit_bytes) json.member("group_limit_bytes", *system.group_limit_bytes);
  if (system.group_used_bytes) json.member("group_used_bytes", *system.group_used_bytes);
  json.member("pool_bytes", d.pressure.pool_bytes);
  json.member("pool_limit_bytes", d.pressure.pool_limit_bytes).end_object();
}

void write_stats(JsonWriter& json, const BlockStats& s) {
  json.member("allocations", s.allocations).member("frees", s.frees);
  json.member("allocated_bytes", s.allocated_bytes);
  json.member("live_blocks", s.live_blocks).member("live_bytes", s.live_bytes);
}

void write_tags(JsonWriter& json, const char* name, const std::vector<TagStats>& tags,
                const TrackingReport& report) {
  json.key(name).begin_array();
  for (const TagStats& tag : tags) {
    json.begin_object().member("tag", valid_utf8(report.tag_name(tag.tag)));
    write_stats(json, tag);
    json.end_object();
  }
  json.end_array();
}

void write_sites(JsonWriter& json, const char* name, const std::vector<SiteStats>& sites) {
  json.key(name).begin_array();
  for (const SiteStats& site : sites) {
    json.begin_object().member("site", std::uint64_t{site.site});
    write_stats(json, site);
    json.end_object();
  }
  json.end_array();
}

void write_histogram(JsonWriter& json, const LifetimeHistogram& h) {
  json.begin_object().member("blocks", h.total).member("sum_ms", h.sum_ms);
  json.member("p50_ms", h.quantile_ms(0.5)).member("p90_ms", h.quantile_ms(0.9));
  json.member("p99_ms", h.quantile_ms(0.99)).key("counts_by_power_of_two_ms").begin_array();
  std::size_t used = h.counts.size();
  while (used > 0 && h.counts[used - 1] == 0) --used;
  for (std::size_t i = 0; i < used; ++i) json.value(h.counts[i]);
  json.end_array().end_object();
}

void write_lifetimes(JsonWriter& json, const Lifetimes& lives, const TrackingReport& report) {
  json.key("lifetimes").begin_object().key("all");
  write_histogram(json, lives.all);
  json.key("by_tag").begin_array();
  for (std::size_t tag = 0; tag < lives.by_tag.size(); ++tag) {
    if (lives.by_tag[tag].total == 0) continue;
    json.begin_object();
    json.member("tag", valid_utf8(report.tag_name(static_cast<std::uint16_t>(tag)))).key("lives");
    write_histogram(json, lives.by_tag[tag]);
    json.end_object();
  }
  json.end_array().key("by_size").begin_array();
  for (std::size_t i = 0; i < lives.by_size.size(); ++i) {
    if (lives.by_size[i].total == 0) continue;
    json.begin_object().member("below_bytes", std::uint64_t{1} << i).key("lives");
    write_histogram(json, lives.by_size[i]);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_leaks(JsonWriter& json, const LeakReport& leaks, const TrackingReport& report) {
  json.key("leaks").begin_object().member("min_age_ms", leaks.min_age_ms);
  json.member("blocks", leaks.blocks).member("bytes", leaks.bytes);
  if (leaks.unseen_blocks) json.member("unseen_blocks", *leaks.unseen_blocks);
  json.key("groups").begin_array();
  for (const LeakGroup& g : leaks.groups) {
    json.begin_object().member("tag", valid_utf8(report.tag_name(g.tag)));
    json.member("site", std::uint64_t{g.site}).member("blocks", g.blocks).member("bytes", g.bytes);
    json.member("oldest_ms", g.oldest_ms).member("outlived_blocks", g.outlived);
    json.member("grows", g.grows).end_object();
  }
  json.end_array().key("candidates").begin_array();
  for (const LeakCandidate& c : leaks.candidates) {
    json.begin_object().member("address", hex(c.address)).member("bytes", c.bytes);
    json.member("age_ms", c.age_ms).member("tag", valid_utf8(report.tag_name(c.tag)));
    json.member("site", std::uint64_t{c.site}).member("outlived", c.outlived).end_object();
  }
  json.end_array().end_object();
}

void write_patterns(JsonWriter& json, const std::vector<PatternFinding>& patterns) {
  json.key("patterns").begin_array();
  for (const PatternFinding& p : patterns) {
    json.begin_object().member("kind", to_string(p.kind));
    json.member("subject", valid_utf8(p.subject)).key("evidence").begin_object();
    for (const Evidence& e : p.evidence) json.member(e.name, e.value);
    json.end_object().end_object();
  }
  json.end_array();
}

void write_peak(JsonWriter& json, const PeakWatch::Peak& peak, const TrackingReport& report) {
  json.key("peak").begin_object().member("bytes", peak.bytes).member("time_ms", peak.time_ms);
  json.member("kept_bytes", peak.kept_bytes);
  write_tags(json, "tags", peak.tags, report);
  write_sites(json, "sites", peak.sites);
  json.end_object();
}

void write_timeline(JsonWriter& json, const TrackingReport& report) {
  json.key("timeline").begin_object();
  json.member("resolution_ms", report.timeline_resolution_ms).key("series").begin_array();
  for (const std::string& name : report.series) json.value(valid_utf8(name));
  json.end_array().key("points").begin_array();
  for (const TimelinePoint& p : report.timeline) {
    json.begin_object().member("time_ms", p.time_ms).member("live_bytes", p.live_bytes);
    json.member("peak_bytes", p.peak_bytes).member("committed_bytes", p.committed_bytes);
    json.key("series_bytes").begin_array();
    for (std::size_t i = 0; i < report.series.size(); ++i) json.value(p.series_bytes[i]);
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

void write_profile(JsonWriter& json, const ProfileReport& p, const TrackingReport& report) {
  json.key("profile").begin_object().member("name", valid_utf8(p.name));
  json.member("begin_ms", p.begin_ms).member("duration_ms", p.duration_ms).key("total");
  json.begin_object();
  write_stats(json, p.total);
  json.end_object();
  write_tags(json, "top_tags", p.top_tags, report);
  write_sites(json, "top_sites", p.top_sites);
  json.key("top_sizes").begin_array();
  for (const ProfileReport::Size& size : p.top_sizes)
    json.begin_object()
        .member("bytes", size.bytes)
        .member("allocations", size.allocations)
        .end_object();
  json.end_array();
  write_lifetimes(json, p.lifetimes, report);
  write_peak(json, p.peak, report);
  json.end_object();
}

void write_cost(JsonWriter& json, const DetailedMemoryMetrics& d) {
  json.key("overhead").begin_object().member("busy_seconds", d.overhead.busy_seconds);
  json.member("wall_seconds", d.overhead.wall_seconds).member("percent", d.overhead.percent());
  json.member("resident_bytes", d.overhead.resident_bytes).end_object();
  json.key("events").begin_object().member("seen", d.events.seen).member("lost", d.events.lost);
  json.member("unmatched", d.events.unmatched).member("reconciled", d.events.reconciled);
  json.member("untracked", d.events.untracked);
  json.member("failed_rounds", d.events.failed_rounds).end_object();
}

std::string_view name(TrackingLevel level) {
  constexpr std::string_view kNames[] = {"none", "basic", "standard", "detailed"};
  return kNames[static_cast<std::size_t>(level)];
}

std::string_view name(RangeState state) {
  constexpr std::string_view kNames[] = {"used", "free", "reserved", "decommitted"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace

void write_json(JsonWriter& json, const TrackingReport& report) {
  const DetailedMemoryMetrics& d = report.detail;
  json.begin_object().member("schema", "bitnet.memory_tracking/1");
  json.member("time_ms", report.time_ms).member("level", name(d.level));
  json.member("sampling_rate", d.sampling_rate);
  write_memory(json, d.memory);
  json.member("fragmentation_ratio", d.fragmentation_ratio);
  write_pressure(json, d);
  json.key("blocks").begin_object();
  write_stats(json, d.blocks);
  json.end_object();
  write_tags(json, "top_tags", d.top_tags, report);
  write_sites(json, "sites", report.sites);
  json.key("stacks").begin_array();
  for (const TrackingReport::Stack& stack : report.stacks) {
    json.begin_object().member("site", std::uint64_t{stack.site}).key("frames").begin_array();
    for (const std::string& frame : stack.frames) json.value(valid_utf8(frame));
    json.end_array().end_object();
  }
  json.end_array();
  write_leaks(json, report.leaks, report);
  write_patterns(json, d.patterns);
  write_lifetimes(json, d.lifetimes, report);
  write_peak(json, report.peak, report);
  write_timeline(json, report);
  json.key("fragmentation_map").begin_array();
  for (const FragmentationRange& range : report.map)
    json.begin_object()
        .member("offset", range.offset)
        .member("bytes", range.bytes)
        .member("state", name(range.state))
        .end_object();
  json.end_array();
  if (report.profile) write_profile(json, *report.profile, report);
  write_cost(json, d);
  json.end_object();
}

std::string to_json(const TrackingReport& report) {
  JsonWriter json;
  write_json(json, report);
  return json.text();
}

}  // namespace bitnet
