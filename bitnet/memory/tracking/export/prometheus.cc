// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/export/prometheus.h"

#include <charconv>
#include <string_view>

#include "bitnet/memory/tracking/export/json.h"
#include "bitnet/memory/tracking/tags.h"

namespace bitnet {
namespace {

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "bitnet_memory_" + std::string(name);
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n";
    text_ += "# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  /// A sample of the family: `labels` is empty or `{a="b"}`.
  void sample(double value, const std::string& labels = {}, std::string_view suffix = {}) {
    text_ += name_ + std::string(suffix) + labels + " " + number(value) + "\n";
  }
  void sample(std::uint64_t value, const std::string& labels = {}, std::string_view suffix = {}) {
    text_ += name_ + std::string(suffix) + labels + " " + std::to_string(value) + "\n";
  }
  static std::string number(double value) {
    char buffer[32];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_, name_;
};

std::string label(std::string_view name, std::string_view value) {
  std::string out = "{" + std::string(name) + "=\"";
  for (const char c : valid_utf8(value)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? "\\n" : std::string(1, c);
  }
  return out + "\"}";
}

void memory(Text& text, const MemoryMetrics& m) {
  text.family("live_bytes", "gauge", "Bytes of live blocks, as asked for.");
  text.sample(m.live_bytes);
  text.family("peak_bytes", "gauge", "Most live bytes since the pool began.");
  text.sample(m.peak_bytes);
  text.family("live_blocks", "gauge", "Live blocks.");
  text.sample(m.live_blocks);
  text.family("allocations_total", "counter", "Allocations.");
  text.sample(m.total_allocations);
  text.family("failed_allocations_total", "counter", "Allocations that were refused.");
  text.sample(m.failed_allocations);
  text.family("committed_bytes", "gauge", "Bytes held from the system, by part of the pool.");
  text.sample(m.small.committed_bytes, label("part", "small"));
  text.sample(m.large.committed_bytes, label("part", "large"));
  text.family("device_live_bytes", "gauge", "Bytes of live blocks, by device.");
  for (const DeviceMetrics& d : m.devices)
    text.sample(d.live_bytes, label("device", to_string(d.device)));
  text.family("compressed_blocks", "gauge", "Blocks whose bytes are packed.");
  text.sample(m.compression.blocks);
  text.family("compressed_bytes", "gauge", "Bytes of packed blocks, before and after.");
  text.sample(m.compression.bytes_before, label("when", "before"));
  text.sample(m.compression.bytes_after, label("when", "after"));
  text.family("compression_seconds_total", "counter", "Time that packing and unpacking took.");
  text.sample(1e-9 * static_cast<double>(m.compression.compress_ns), label("way", "pack"));
  text.sample(1e-9 * static_cast<double>(m.compression.decompress_ns), label("way", "unpack"));
}

void pressure(Text& text, const DetailedMemoryMetrics& d) {
  text.family("fragmentation_ratio", "gauge", "Share of free bytes outside the largest ranges.");
  text.sample(d.fragmentation_ratio);
  text.family("pressure_level", "gauge", "0 none, 1 low, 2 medium, 3 high, 4 critical.");
  text.sample(static_cast<std::uint64_t>(d.pressure_level));
  text.family("leak_candidate_blocks", "gauge", "Blocks found by the last search for leaks.");
  text.sample(d.leaks.blocks);
  text.family("leak_candidate_bytes", "gauge", "Bytes found by the last search for leaks.");
  text.sample(d.leaks.bytes);
}

void tags(Text& text, const DetailedMemoryMetrics& d) {
  text.family("tag_live_bytes", "gauge", "Bytes of live blocks, by tag, from events.");
  for (const TagStats& t : d.top_tags) text.sample(t.live_bytes, label("tag", tag_name(t.tag)));
  text.family("tag_allocations_total", "counter", "Allocations, by tag, from events.");
  for (const TagStats& t : d.top_tags) text.sample(t.allocations, label("tag", tag_name(t.tag)));
}

void lifetimes(Text& text, const LifetimeHistogram& h) {
  text.family("block_lifetime_seconds", "histogram", "How long blocks lived.");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < h.counts.size(); ++i) {
    sum += h.counts[i];
    const double edge = static_cast<double>(std::uint64_t{1} << i) / 1000;
    text.sample(sum, label("le", Text::number(edge)), "_bucket");
  }
  text.sample(h.total, label("le", "+Inf"), "_bucket");
  text.sample(static_cast<double>(h.sum_ms) / 1000, {}, "_sum");
  text.sample(h.total, {}, "_count");
}

void tracking(Text& text, const DetailedMemoryMetrics& d) {
  text.family("tracking_events_total", "counter", "Events of blocks that were seen.");
  text.sample(d.events.seen);
  text.family("tracking_events_lost_total", "counter", "Events that found their ring full.");
  text.sample(d.events.lost);
  text.family("tracking_busy_seconds_total", "counter", "Time that tracking took.");
  text.sample(d.overhead.busy_seconds);
  text.family("tracking_resident_bytes", "gauge", "Memory that tracking takes.");
  text.sample(d.overhead.resident_bytes);
}

}  // namespace

std::string to_prometheus(const DetailedMemoryMetrics& metrics) {
  Text text;
  memory(text, metrics.memory);
  pressure(text, metrics);
  tags(text, metrics);
  lifetimes(text, metrics.lifetimes.all);
  tracking(text, metrics);
  return text.text();
}

}  // namespace bitnet
