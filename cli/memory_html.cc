// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/memory_html.h"

#include <algorithm>
#include <span>

#include "cli/format.h"

namespace bitnet::cli {
namespace {

using storage::PublishedClass;
using storage::PublishedMetrics;
using storage::PublishedPart;
using storage::PublishedSample;

constexpr const char* kStyle = R"css(
:root { --page: #f6f6f4; --card: #fff; --ink: #16181d; --soft: #5a606b; --line: #dfe1e5;
  --live: #2a78d6; --committed: #bcd7f5; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --card: #1d2026; --ink: #e9eaee;
  --soft: #a2a8b4; --line: #343842; --live: #5598e7; --committed: #2b4a70; } }
body { margin: 0; padding: 24px; background: var(--page); color: var(--ink);
  font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; display: grid; gap: 16px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 16px; margin: 0 0 4px; }
.soft, th { color: var(--soft); font-weight: 400; } p { margin: 0 0 12px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px; overflow-x: auto; }
code { overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: 8px 28px; margin-bottom: 12px; }
.tiles b { display: block; font-size: 20px; font-weight: 600; }
svg { display: block; width: 100%; height: auto; margin-bottom: 12px; font: 11px system-ui; }
svg text { fill: var(--soft); } .grid { stroke: var(--line); }
.live { fill: var(--live); stroke: none; } .committed { fill: var(--committed); }
i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 4px 0 12px; }
table { border-collapse: collapse; width: 100%; margin-bottom: 12px; }
th, td { text-align: right; padding: 4px 0 4px 12px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
)css";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string tile(const char* name, const std::string& value) {
  return "<div><b>" + value + "</b><span class=soft>" + name + "</span></div>";
}

std::string row(std::initializer_list<std::string> cells, const char* kind = "td") {
  std::string text = "<tr>";
  for (const std::string& cell : cells)
    text += "<" + std::string(kind) + ">" + cell + "</" + kind + ">";
  return text + "</tr>\n";
}

// The area under one figure of the samples: x over all of them, y up to `most`.
template <class Figure>
std::string area(std::span<const PublishedSample> samples, std::uint64_t most, const char* name,
                 Figure figure) {
  constexpr double kLeft = 70, kWidth = 850, kTop = 8, kHeight = 160;
  const double step = kWidth / static_cast<double>(std::max<std::size_t>(samples.size() - 1, 1));
  std::string points = fixed(kLeft, 1) + "," + fixed(kTop + kHeight, 1);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double part = static_cast<double>(figure(samples[i])) / static_cast<double>(most);
    points += " " + fixed(kLeft + step * static_cast<double>(i), 1) + "," +
              fixed(kTop + kHeight * (1 - part), 1);
  }
  points += " " + fixed(kLeft + step * static_cast<double>(samples.size() - 1), 1) + "," +
            fixed(kTop + kHeight, 1);
  return "<polygon class=" + std::string(name) + " points='" + points + "'/>";
}

std::string history(const PublishedMetrics& m) {
  constexpr double kSamplesASecond = 4;
  const std::span<const PublishedSample> samples(m.samples, m.num_samples);
  if (samples.size() < 2) return "";
  std::uint64_t most = 1;
  for (const PublishedSample& s : samples) most = std::max({most, s.live_bytes, s.committed_bytes});
  const double seconds = static_cast<double>(samples.size() - 1) / kSamplesASecond;
  return "<p class=soft>The last " + fixed(seconds, 0) +
         " seconds<i class=live style='background:var(--live)'></i>live"
         "<i style='background:var(--committed)'></i>committed</p>"
         "<svg viewBox='0 0 930 190' role=img aria-label='live and committed memory over time'>"
         "<line class=grid x1=70 x2=920 y1=8 y2=8 /><line class=grid x1=70 x2=920 y1=168 y2=168 "
         "/>" +
         area(samples, most, "committed",
              [](const PublishedSample& s) { return s.committed_bytes; }) +
         area(samples, most, "live", [](const PublishedSample& s) { return s.live_bytes; }) +
         "<text x=62 y=14 text-anchor=end>" + bytes_in_words(most) +
         "</text><text x=62 y=172 text-anchor=end>0</text><text x=70 y=186>" + fixed(seconds, 0) +
         " s ago</text><text x=920 y=186 text-anchor=end>now</text></svg>\n";
}

std::string parts(const PublishedMetrics& m) {
  std::string text =
      "<table>" +
      row({"blocks", "live", "committed", "peak", "largest free", "fragmented", "limit"}, "th");
  const auto add = [&](const char* name, const PublishedPart& p) {
    text += row({name, bytes_in_words(p.live_bytes), bytes_in_words(p.committed_bytes),
                 bytes_in_words(p.peak_committed_bytes), bytes_in_words(p.largest_free_bytes),
                 fixed(100 * fragmentation(p), 1) + " %",
                 p.limit_bytes ? bytes_in_words(p.limit_bytes) : "none"});
  };
  add("below 1 MiB", m.small);
  add("from 1 MiB", m.large);
  return text + "</table>\n";
}

std::string classes(const PublishedMetrics& m) {
  if (m.num_classes == 0) return "";
  const auto bytes = [](const PublishedClass& c) { return c.block_bytes * c.live_blocks; };
  const double most = static_cast<double>(std::max<std::uint64_t>(bytes(m.classes[0]), 1));
  std::string text = "<table>" + row({"size class", "live blocks", "live", ""}, "th");
  for (const PublishedClass& c : std::span(m.classes, m.num_classes))
    text +=
        row({bytes_in_words(c.block_bytes), std::to_string(c.live_blocks), bytes_in_words(bytes(c)),
             "<svg viewBox='0 0 200 10' style='width:200px;margin:0 0 0 auto'><rect class=live "
             "rx=2 height=10 width=" +
                 fixed(200 * static_cast<double>(bytes(c)) / most, 1) + " /></svg>"});
  return text + "</table>\n";
}

std::string devices(const PublishedMetrics& m) {
  if (m.num_devices < 2) return "";
  std::string text =
      "<table>" + row({"device", "blocks", "live", "peak", "committed", "failed"}, "th");
  for (const storage::PublishedDevice& d : std::span(m.devices, m.num_devices))
    text += row({to_string(storage::device_of(d)), std::to_string(d.live_blocks),
                 bytes_in_words(d.live_bytes), bytes_in_words(d.peak_bytes),
                 bytes_in_words(d.committed_bytes), std::to_string(d.failed_allocations)});
  return text + "</table>\n";
}

std::string pressure(const PublishedMetrics& m) {
  return "<table>" +
         row({"under pressure", "trims", "returned", "compactions", "blocks moved", "compressions",
              "blocks packed", "callbacks", "failures"},
             "th") +
         row({"times", std::to_string(m.trims), bytes_in_words(m.trimmed_bytes),
              std::to_string(m.compactions), std::to_string(m.moved_blocks),
              std::to_string(m.compressions), std::to_string(m.compressed_blocks),
              std::to_string(m.callbacks), std::to_string(m.failures)}) +
         "</table>\n";
}

std::string section(const WatchedProcess& process) {
  const PublishedMetrics& m = process.page.metrics;
  return "<section><h2>Process " + std::to_string(process.page.process.pid) +
         (process.page.alive ? "" : ", ended") + "</h2><p><code>" + escaped(process.command) +
         "</code></p><div class=tiles>" + tile("live", bytes_in_words(m.live_bytes)) +
         tile("peak", bytes_in_words(m.peak_bytes)) +
         tile("committed", bytes_in_words(committed_bytes(m))) +
         tile("resident, whole process", bytes_in_words(m.resident_bytes)) +
         tile("live blocks", std::to_string(m.live_blocks)) +
         tile("allocations", std::to_string(m.total_allocations)) +
         tile("failed", std::to_string(m.failed_allocations)) +
         tile("lost to rounding", bytes_in_words(m.waste_bytes)) +
         tile("memory pressure", std::string(pressure_name(m))) +
         (m.packed_blocks > 0 ? tile("packed", bytes_in_words(m.packed_bytes_before) + " in " +
                                                   bytes_in_words(m.packed_bytes_after))
                              : "") +
         "</div>" + history(m) + parts(m) + devices(m) + classes(m) + pressure(m) + "</section>\n";
}

}  // namespace

std::string memory_html(const std::vector<WatchedProcess>& processes, const std::string& when) {
  std::string page =
      "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\">\n"
      "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
      "<meta name=color-scheme content='light dark'>\n<title>Memory of bitnet processes</title>\n"
      "<style>";
  page += kStyle;
  page +=
      "</style>\n</head>\n<body><main>\n<div><h1>Memory of bitnet processes</h1><span class=soft>" +
      escaped(when) + "</span></div>\n";
  for (const WatchedProcess& process : processes) page += section(process);
  return page + "</main></body>\n</html>\n";
}

}  // namespace bitnet::cli
