// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/memory_view.h"

#include <algorithm>
#include <array>
#include <span>

#include "cli/format.h"

namespace bitnet::cli {
namespace {

using storage::PublishedClass;
using storage::PublishedDevice;
using storage::PublishedMetrics;
using storage::PublishedPart;
using storage::PublishedSample;

constexpr std::size_t kMostClasses = 8;

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
}

std::string bar(std::uint64_t value, std::uint64_t most, int columns) {
  const int full = static_cast<int>(share(value, most) * columns + 0.5);
  std::string text;
  for (int i = 0; i < columns; ++i) text += i < full ? "█" : "░";
  return text;
}

std::string count_text(std::uint64_t count) {
  return with_commas(static_cast<std::int64_t>(std::min<std::uint64_t>(count, INT64_MAX)));
}

std::string percent(double part) { return fixed(100 * part, 1) + " %"; }

// The newest samples that fit, from nothing to the most of them.
std::string sparkline(std::span<const PublishedSample> samples, int columns) {
  constexpr std::array kLevels{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto fit = static_cast<std::size_t>(std::max(columns, 1));
  if (samples.size() > fit) samples = samples.last(fit);
  std::uint64_t most = 0;
  for (const PublishedSample& s : samples) most = std::max(most, s.live_bytes);
  std::string text;
  for (const PublishedSample& s : samples)
    text += kLevels[static_cast<std::size_t>(share(s.live_bytes, most) * 8 + 0.5)];
  return text;
}

std::string bars_text(const PublishedMetrics& m, int columns) {
  const std::uint64_t committed = committed_bytes(m);
  const std::uint64_t most =
      std::max({m.peak_bytes, committed, m.resident_bytes, std::uint64_t{1}});
  const int wide = std::clamp(columns - 26, 10, 60);
  std::string text;
  const auto line = [&](const char* name, std::uint64_t bytes) {
    text += pad_right(name, 12) + bar(bytes, most, wide) + " " +
            pad_left(bytes_in_words(bytes), 10) + "\n";
  };
  line("live", m.live_bytes);
  line("peak", m.peak_bytes);
  line("committed", committed);
  line("resident", m.resident_bytes);
  text += pad_right("history", 12) + sparkline({m.samples, m.num_samples}, wide) + "\n";
  return text;
}

std::string parts_text(const PublishedMetrics& m) {
  Table table({"blocks", "live", "committed", "peak", "largest free", "fragmented", "limit"},
              {1, 2, 3, 4, 5, 6});
  const auto add = [&](const char* name, const PublishedPart& p) {
    table.add({name, bytes_in_words(p.live_bytes), bytes_in_words(p.committed_bytes),
               bytes_in_words(p.peak_committed_bytes), bytes_in_words(p.largest_free_bytes),
               percent(fragmentation(p)), p.limit_bytes ? bytes_in_words(p.limit_bytes) : "none"});
  };
  add("below 1 MiB", m.small);
  add("from 1 MiB", m.large);
  return table.text();
}

std::string classes_text(const PublishedMetrics& m) {
  const std::span classes(m.classes, std::min<std::size_t>(m.num_classes, kMostClasses));
  if (classes.empty()) return "";
  const auto bytes = [](const PublishedClass& c) { return c.block_bytes * c.live_blocks; };
  Table table({"size", "live blocks", "live", ""}, {0, 1, 2});
  for (const PublishedClass& c : classes)
    table.add({bytes_in_words(c.block_bytes), count_text(c.live_blocks), bytes_in_words(bytes(c)),
               bar(bytes(c), std::max<std::uint64_t>(bytes(classes[0]), 1), 20)});
  return "\n" + table.text();
}

// Nothing where the host is all there is: its figures are those above.
std::string devices_text(const PublishedMetrics& m) {
  if (m.num_devices < 2) return "";
  Table table({"device", "blocks", "live", "peak", "committed", "failed", "limit"},
              {1, 2, 3, 4, 5, 6});
  for (const PublishedDevice& d : std::span(m.devices, m.num_devices))
    table.add({to_string(storage::device_of(d)), count_text(d.live_blocks),
               bytes_in_words(d.live_bytes), bytes_in_words(d.peak_bytes),
               bytes_in_words(d.committed_bytes), count_text(d.failed_allocations),
               d.limit_bytes ? bytes_in_words(d.limit_bytes) : "none"});
  return "\n" + table.text();
}

std::string packed_text(const PublishedMetrics& m) {
  if (m.packed_blocks == 0 && m.compress_ns == 0) return "";
  return "packed      " + count_text(m.packed_blocks) + " blocks, " +
         bytes_in_words(m.packed_bytes_before) + " in " + bytes_in_words(m.packed_bytes_after) +
         "; " + fixed(1e-9 * static_cast<double>(m.compress_ns), 2) + " s to pack, " +
         fixed(1e-9 * static_cast<double>(m.decompress_ns), 2) + " s to unpack\n";
}

std::string pressure_text(const PublishedMetrics& m) {
  const std::string level = "\npressure    " + std::string(pressure_name(m)) + "\n";
  if (m.trims + m.compactions + m.compressions + m.callbacks + m.failures == 0) return level;
  return level + "relieved    trims " + count_text(m.trims) + " (" +
         bytes_in_words(m.trimmed_bytes) + "), compactions " + count_text(m.compactions) + " (" +
         count_text(m.moved_blocks) + " blocks), compressions " + count_text(m.compressions) +
         " (" + count_text(m.compressed_blocks) + " blocks), callbacks " + count_text(m.callbacks) +
         ", failures " + count_text(m.failures) + "\n";
}

void write_part(JsonWriter& json, const char* name, const PublishedPart& p) {
  json.key(name).begin_object();
  json.member("live_bytes", p.live_bytes).member("committed_bytes", p.committed_bytes);
  json.member("peak_committed_bytes", p.peak_committed_bytes).member("free_bytes", p.free_bytes);
  json.member("largest_free_bytes", p.largest_free_bytes).member("limit_bytes", p.limit_bytes);
  json.member("fragmentation", fragmentation(p)).end_object();
}

}  // namespace

double fragmentation(const PublishedPart& part) {
  return part.free_bytes == 0 ? 0.0 : 1.0 - share(part.largest_free_bytes, part.free_bytes);
}

std::string_view pressure_name(const PublishedMetrics& metrics) {
  return to_string(static_cast<PressureLevel>(metrics.pressure_level));
}

std::uint64_t committed_bytes(const PublishedMetrics& metrics) {
  return metrics.small.committed_bytes + metrics.large.committed_bytes;
}

std::string list_text(const std::vector<WatchedProcess>& processes) {
  Table table({"pid", "live", "peak", "committed", "blocks", "failures", "command"},
              {0, 1, 2, 3, 4, 5});
  for (const WatchedProcess& p : processes) {
    const PublishedMetrics& m = p.page.metrics;
    table.add({std::to_string(p.page.process.pid), bytes_in_words(m.live_bytes),
               bytes_in_words(m.peak_bytes), bytes_in_words(committed_bytes(m)),
               count_text(m.live_blocks), count_text(m.failed_allocations),
               p.command.substr(0, 60)});
  }
  return table.text();
}

std::string process_text(const WatchedProcess& process, int columns) {
  const PublishedMetrics& m = process.page.metrics;
  const std::string state = process.page.alive ? "" : " has ended; its last figures";
  return "process     " + std::to_string(process.page.process.pid) + state +
         (process.command.empty() ? "" : "  " + process.command) + "\n" + bars_text(m, columns) +
         "\nblocks      " + count_text(m.live_blocks) + " live, " +
         count_text(m.total_allocations) + " allocated in all, " +
         count_text(m.failed_allocations) + " failed\noverhead    " +
         bytes_in_words(m.waste_bytes) + " lost to rounding, " + bytes_in_words(m.metadata_bytes) +
         " of the pool's own\n\n" + parts_text(m) + devices_text(m) + classes_text(m) +
         pressure_text(m) + packed_text(m);
}

void write_process(JsonWriter& json, const WatchedProcess& process) {
  const PublishedMetrics& m = process.page.metrics;
  json.begin_object().member("pid", process.page.process.pid);
  json.member("command", process.command).member("alive", process.page.alive);
  json.member("live_bytes", m.live_bytes).member("peak_bytes", m.peak_bytes);
  json.member("live_blocks", m.live_blocks).member("total_allocations", m.total_allocations);
  json.member("total_bytes", m.total_bytes).member("failed_allocations", m.failed_allocations);
  json.member("waste_bytes", m.waste_bytes).member("metadata_bytes", m.metadata_bytes);
  json.member("resident_bytes", m.resident_bytes).member("committed_bytes", committed_bytes(m));
  write_part(json, "small", m.small);
  write_part(json, "large", m.large);
  json.key("pressure").begin_object();
  json.member("trims", m.trims).member("trimmed_bytes", m.trimmed_bytes);
  json.member("compactions", m.compactions).member("moved_blocks", m.moved_blocks);
  json.member("compressions", m.compressions).member("compressed_blocks", m.compressed_blocks);
  json.member("callbacks", m.callbacks).member("failures", m.failures).end_object();
  json.member("pressure_level", pressure_name(m));
  json.key("compression").begin_object();
  json.member("blocks", m.packed_blocks).member("bytes_before", m.packed_bytes_before);
  json.member("bytes_after", m.packed_bytes_after).member("compress_ns", m.compress_ns);
  json.member("decompress_ns", m.decompress_ns).end_object();
  json.key("devices").begin_array();
  for (const PublishedDevice& d : std::span(m.devices, m.num_devices))
    json.begin_object()
        .member("device", to_string(storage::device_of(d)))
        .member("live_blocks", d.live_blocks)
        .member("live_bytes", d.live_bytes)
        .member("peak_bytes", d.peak_bytes)
        .member("failed_allocations", d.failed_allocations)
        .member("committed_bytes", d.committed_bytes)
        .member("limit_bytes", d.limit_bytes)
        .end_object();
  json.end_array().key("classes").begin_array();
  for (const PublishedClass& c : std::span(m.classes, m.num_classes))
    json.begin_object()
        .member("block_bytes", c.block_bytes)
        .member("live_blocks", c.live_blocks)
        .member("allocations", c.allocations)
        .end_object();
  json.end_array().key("history").begin_array();
  for (const PublishedSample& s : std::span(m.samples, m.num_samples))
    json.begin_object()
        .member("live_bytes", s.live_bytes)
        .member("committed_bytes", s.committed_bytes)
        .end_object();
  json.end_array().end_object();
}

}  // namespace bitnet::cli
