// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/tuning_text.h"

#include <algorithm>

#include "cli/format.h"
#include "cli/speed_choice.h"

namespace bitnet::cli {
namespace {

constexpr WeightLayout kLayouts[] = {WeightLayout::two_bits, WeightLayout::tiles};

// Millions to thousands of millions.
std::string giga(double millions) { return fixed(millions / 1000, millions < 100'000 ? 1 : 0); }
std::string giga(std::int64_t millions) { return giga(static_cast<double>(millions)); }

const ThreadRates& row_of(const Tuning& tuning, int threads) {
  return *std::find_if(tuning.rows.begin(), tuning.rows.end(),
                       [&](const ThreadRates& row) { return row.threads == threads; });
}

void write_rates(JsonWriter& json, const ThreadRates& row, WeightLayout layout) {
  const LayoutRates& rates = row.of(layout);
  json.key(layout == WeightLayout::tiles ? "1.6bit" : "2bit").begin_object();
  json.member("cached_weights_per_second", 1e6 * static_cast<double>(rates.cached));
  json.member("roofline_weights_per_second", 1e6 * roofline(row, layout));
  json.member("memory_weights_per_second", 1e6 * static_cast<double>(rates.memory));
  json.member("prompt_products_per_second", 1e6 * static_cast<double>(rates.prompt)).end_object();
}

}  // namespace

std::string tuning_table(const Tuning& tuning) {
  Table table(
      {"threads", "layout", "reads GB/s", "in caches", "roofline", "from memory", "prompts"},
      {0, 2, 3, 4, 5, 6});
  for (const ThreadRates& row : tuning.rows)
    for (const WeightLayout layout : kLayouts) {
      const LayoutRates& rates = row.of(layout);
      if (rates.cached == 0) continue;
      table.add({std::to_string(row.threads), name_of(layout), giga(row.read), giga(rates.cached),
                 giga(roofline(row, layout)), giga(rates.memory), giga(rates.prompt)});
    }
  return table.text();
}

std::string tuning_reason(const Tuning& tuning) {
  const TuningChoice choice = choose(tuning);
  const ThreadRates& row = row_of(tuning, choice.decode_threads);
  const WeightLayout other =
      choice.layout == WeightLayout::tiles ? WeightLayout::two_bits : WeightLayout::tiles;
  std::string text = name_of(choice.layout) + " a weight, " +
                     counted(choice.decode_threads, "thread") + " to write, " +
                     std::to_string(choice.prompt_threads) + " to read prompts: memory gives " +
                     giga(row.read) + " GB/s";
  for (const WeightLayout layout : {choice.layout, other}) {
    if (row.of(layout).cached == 0) {
      text += "; no kernels for " + name_of(layout);
      continue;
    }
    const double from_memory = static_cast<double>(row.read) / bytes_per_weight(layout);
    const bool by_memory = from_memory < static_cast<double>(row.of(layout).cached);
    text += "; at " + name_of(layout) + " that is " + giga(from_memory) +
            " G weights a second, caches " + giga(row.of(layout).cached) + ", so " +
            (by_memory ? "memory" : "arithmetic") + " is the limit, and " +
            giga(row.of(layout).memory) + " were measured";
  }
  return text + (choice.against_roofline ? "; the measurement decided against the limits" : "");
}

void write_tuning(JsonWriter& json, const Tuning& tuning) {
  const TuningChoice choice = choose(tuning);
  json.member("packing", choice.layout == WeightLayout::tiles ? "1.6bit" : "2bit");
  json.member("decode_threads", choice.decode_threads);
  json.member("prompt_threads", choice.prompt_threads);
  json.member("against_roofline", choice.against_roofline);
  json.member("reason", tuning_reason(tuning)).key("measured").begin_array();
  for (const ThreadRates& row : tuning.rows) {
    json.begin_object().member("threads", row.threads);
    json.member("read_bytes_per_second", 1e6 * static_cast<double>(row.read));
    for (const WeightLayout layout : kLayouts) write_rates(json, row, layout);
    json.end_object();
  }
  json.end_array();
}

}  // namespace bitnet::cli
