// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/export/csv.h"

#include <charconv>
#include <concepts>
#include <string_view>

namespace bitnet {
namespace {

class Rows {
 public:
  template <class... Cells>
  void add(const Cells&... cells) {
    bool first = true;
    ((text_ += first ? "" : ",", first = false, cell(cells)), ...);
    text_ += "\r\n";
  }
  /// Cells one by one, then end_row().
  template <class Cell>
  void next(const Cell& value) {
    if (!row_is_empty_) text_ += ',';
    row_is_empty_ = false;
    cell(value);
  }
  void end_row() {
    text_ += "\r\n";
    row_is_empty_ = true;
  }
  std::string text() && { return std::move(text_); }

 private:
  void cell(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
      text_ += text;
      return;
    }
    text_ += '"';
    for (const char c : text) text_ += c == '"' ? "\"\"" : std::string(1, c);
    text_ += '"';
  }
  void cell(std::integral auto number) { text_ += std::to_string(number); }
  void cell(double number) {
    char buffer[32];
    text_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
  }

  std::string text_;
  bool row_is_empty_ = true;
};

void timeline(Rows& rows, const TrackingReport& report) {
  for (const char* name : {"time_ms", "live_bytes", "peak_bytes", "committed_bytes"})
    rows.next(name);
  for (const std::string& tag : report.series) rows.next(tag + " live_bytes");
  rows.end_row();
  for (const TimelinePoint& p : report.timeline) {
    for (const std::uint64_t v : {p.time_ms, p.live_bytes, p.peak_bytes, p.committed_bytes})
      rows.next(v);
    for (std::size_t i = 0; i < report.series.size(); ++i) rows.next(p.series_bytes[i]);
    rows.end_row();
  }
}

/// The calls of a stack, innermost first.
std::string joined(const std::vector<std::string>& frames) {
  std::string text;
  for (const std::string& frame : frames) text += (text.empty() ? "" : " < ") + frame;
  return text;
}

void sites(Rows& rows, const TrackingReport& report) {
  rows.add("site", "allocations", "frees", "allocated_bytes", "live_blocks", "live_bytes", "stack");
  for (const SiteStats& s : report.sites)
    rows.add(s.site, s.allocations, s.frees, s.allocated_bytes, s.live_blocks, s.live_bytes,
             joined(report.frames(s.site)));
}

void tags(Rows& rows, const TrackingReport& report) {
  rows.add("tag", "allocations", "frees", "allocated_bytes", "live_blocks", "live_bytes");
  for (const TagStats& t : report.detail.top_tags)
    rows.add(report.tag_name(t.tag), t.allocations, t.frees, t.allocated_bytes, t.live_blocks,
             t.live_bytes);
}

void leaks(Rows& rows, const TrackingReport& report) {
  rows.add("address", "bytes", "age_ms", "tag", "outlived", "stack");
  for (const LeakCandidate& c : report.leaks.candidates)
    rows.add(c.address, c.bytes, c.age_ms, report.tag_name(c.tag), int{c.outlived},
             joined(report.frames(c.site)));
}

void patterns(Rows& rows, const TrackingReport& report) {
  rows.add("kind", "subject", "evidence", "value");
  for (const PatternFinding& p : report.detail.patterns)
    for (const Evidence& e : p.evidence) rows.add(to_string(p.kind), p.subject, e.name, e.value);
}

}  // namespace

std::string to_csv(const TrackingReport& report, CsvTable table) {
  Rows rows;
  switch (table) {
    case CsvTable::timeline:
      timeline(rows, report);
      break;
    case CsvTable::tags:
      tags(rows, report);
      break;
    case CsvTable::sites:
      sites(rows, report);
      break;
    case CsvTable::leaks:
      leaks(rows, report);
      break;
    case CsvTable::patterns:
      patterns(rows, report);
      break;
  }
  return std::move(rows).text();
}

}  // namespace bitnet
