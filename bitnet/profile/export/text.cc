// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/export/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>
#include <tuple>

namespace bitnet::profile {
namespace {

// Three digits that count, with a unit of powers of 1000: "12.3 us", "713 MB".
std::string scaled(double value, std::string_view unit) {
  constexpr std::array<const char*, 8> kPrefixes{"n", "u", "m", "", "k", "M", "G", "T"};
  std::size_t prefix = 3;
  const bool is_time = unit == "s";
  while (is_time && prefix > 0 && value != 0 && value < 1) value *= 1000, --prefix;
  while (!is_time && prefix + 1 < kPrefixes.size() && value >= 999.5) value /= 1000, ++prefix;
  char text[48];
  std::snprintf(text, sizeof text, "%.*f %s",
                value < 9.995   ? 2
                : value < 99.95 ? 1
                                : 0,
                value, kPrefixes[prefix]);
  return text + std::string(unit);
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string if_known(double value, const std::string& text) { return value > 0 ? text : "-"; }

std::string fact(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + value + "\n";
}

std::string roof_line(const Roof& roof) {
  return fact(
      "roof",
      "reads " + if_known(roof.read_bytes_per_second, scaled(roof.read_bytes_per_second, "B/s")) +
          ", float " +
          if_known(roof.float_ops_per_second, scaled(roof.float_ops_per_second, "op/s")) +
          ", int8 " + if_known(roof.int8_ops_per_second, scaled(roof.int8_ops_per_second, "op/s")));
}

std::string hardware_line(const HardwareCounts& h) {
  if (!h.unavailable.empty()) return fact("counters", h.unavailable);
  std::string text;
  const auto add = [&](const char* name, std::optional<std::uint64_t> value) {
    if (value) text += (text.empty() ? "" : ", ") + scaled(static_cast<double>(*value), name);
  };
  add(" cycles", h.cycles);
  add(" instructions", h.instructions);
  add(" cache misses", h.cache_misses);
  return fact("counters", text);
}

using Row = std::array<std::string, 10>;

Row row_of(const Op& op, double all, const Roof& roof) {
  const Totals& t = op.totals;
  const double bandwidth = share_of_bandwidth(t, roof), peak = share_of_peak(t, roof);
  return {op.name,
          percent(all > 0 ? t.self_seconds / all : 0.0),
          scaled(t.self_seconds, "s"),
          std::to_string(t.count),
          scaled(t.mean_seconds(), "s"),
          if_known(t.intensity(), scaled(t.intensity(), "op/B")),
          if_known(t.bytes_per_second(), scaled(t.bytes_per_second(), "B/s")),
          if_known(bandwidth, percent(bandwidth)),
          if_known(t.ops_per_second(), scaled(t.ops_per_second(), "op/s")),
          if_known(peak, percent(peak))};
}

std::string table(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - row[c].size(), ' ');
      text += c == 0 ? row[c] + space : "  " + space + row[c];
    }
    text += '\n';
  }
  return text;
}

}  // namespace

std::string to_text(const Document& document) {
  const Report& r = document.report;
  std::string text;
  for (const auto& [name, value] : document.facts) text += fact(name, value);
  text += fact("recorded", scaled(r.seconds, "s")) + roof_line(document.roof) +
          hardware_line(document.hardware) + "\n";
  std::vector<Row> rows{{"op", "share", "self time", "count", "mean", "intensity", "bytes/s",
                         "of read roof", "ops/s", "of peak"}};
  const double all = r.self_seconds();
  for (const Op& op : r.ops) rows.push_back(row_of(op, all, document.roof));
  text += table(rows);
  if (r.lost_events > 0)
    text += "\n" + std::to_string(r.lost_events) +
            " spans have no place in the timeline, which was full; the sums have them\n";
  if (r.unrecorded_spans > 0)
    text += "\n" + std::to_string(r.unrecorded_spans) + " spans are missing in the sums\n";
  return text;
}

}  // namespace bitnet::profile
