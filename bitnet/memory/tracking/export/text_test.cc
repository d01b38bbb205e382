// SPDX-License-Identifier: MIT OR Apache-2.0
// CSV read back by the rules of RFC 4180; Prometheus text against its grammar.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "bitnet/memory/tracking/export/csv.h"
#include "bitnet/memory/tracking/export/prometheus.h"
#include "bitnet/memory/tracking/export/sample_report.h"

namespace bitnet {
namespace {

using Table = std::vector<std::vector<std::string>>;

Table parse_csv(const std::string& text) {
  Table rows{{""}};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    std::string& cell = rows.back().back();
    if (quoted) {
      if (c != '"')
        cell += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        cell += text[++i];
      else
        quoted = false;
    } else if (c == '"') {
      EXPECT_TRUE(cell.empty());
      quoted = true;
    } else if (c == ',') {
      rows.back().emplace_back();
    } else if (c == '\r') {
      EXPECT_EQ(text[++i], '\n');
      rows.push_back({""});
    } else {
      EXPECT_NE(c, '\n');
      cell += c;
    }
  }
  EXPECT_EQ(rows.back(), std::vector<std::string>{""});  // the last line has its end
  rows.pop_back();
  return rows;
}

TEST(Csv, EveryTableIsOne) {
  const TrackingReport report = testing::SampleProgram().run();
  for (const CsvTable table :
       {CsvTable::timeline, CsvTable::tags, CsvTable::sites, CsvTable::leaks, CsvTable::patterns}) {
    const Table rows = parse_csv(to_csv(report, table));
    ASSERT_GT(rows.size(), 1u);
    for (const auto& row : rows) EXPECT_EQ(row.size(), rows[0].size());
  }
}

TEST(Csv, HasTheNumbersAndNames) {
  const TrackingReport report = testing::SampleProgram().run();
  const Table timeline = parse_csv(to_csv(report, CsvTable::timeline));
  ASSERT_EQ(timeline.size(), report.timeline.size() + 1);
  EXPECT_EQ(timeline[0][1], "live_bytes");
  EXPECT_EQ(timeline[0][4], "weights live_bytes");
  EXPECT_EQ(timeline[9][1], std::to_string(report.timeline[8].live_bytes));
  const Table tags = parse_csv(to_csv(report, CsvTable::tags));
  EXPECT_EQ(tags[1][0], "weights");
  EXPECT_EQ(tags[2][0], testing::kHostileName);
  const Table sites = parse_csv(to_csv(report, CsvTable::sites));
  EXPECT_NE(sites[1][6].find("SampleProgram::load"), std::string::npos);
  EXPECT_EQ(parse_csv(to_csv(report, CsvTable::leaks)).size(), report.leaks.candidates.size() + 1);
}

struct Family {
  std::string type;
  bool helped = false;
  std::vector<std::pair<std::string, double>> samples;  // name with labels, value
};

/// The grammar of text format 0.0.4, and its order: HELP, TYPE, then the family's samples.
std::map<std::string, Family> parse_prometheus(const std::string& text) {
  static const std::regex kHelp("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) .+");
  static const std::regex kType(
      "# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)");
  static const std::regex kSample(
      "([a-zA-Z_:][a-zA-Z0-9_:]*)"
      "(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\"\\})? (\\S+)");
  std::map<std::string, Family> families;
  std::string current, line;
  std::istringstream lines(text);
  while (std::getline(lines, line)) {
    std::smatch m;
    if (std::regex_match(line, m, kHelp)) {
      EXPECT_FALSE(families[m[1]].helped) << line;
      families[m[1]].helped = true;
    } else if (std::regex_match(line, m, kType)) {
      current = m[1];
      EXPECT_TRUE(families[current].helped && families[current].type.empty()) << line;
      families[current].type = m[2];
    } else if (std::regex_match(line, m, kSample)) {
      EXPECT_EQ(m[1].str().rfind(current, 0), 0u) << line;
      std::size_t used = 0;
      const double value = std::stod(m[3], &used);
      EXPECT_EQ(used, m[3].str().size()) << line;
      families[current].samples.emplace_back(m[1].str() + m[2].str(), value);
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  EXPECT_EQ(text.back(), '\n');
  return families;
}

TEST(Prometheus, FollowsItsGrammar) {
  const TrackingReport report = testing::SampleProgram().run();
  const auto families = parse_prometheus(to_prometheus(report.detail));
  for (const auto& [name, family] : families) {
    EXPECT_EQ(name.rfind("bitnet_memory_", 0), 0u);
    EXPECT_FALSE(family.samples.empty()) << name;
    EXPECT_EQ(family.type == "counter", name.ends_with("_total")) << name;
    std::set<std::string> names;
    for (const auto& [sample, value] : family.samples) {
      EXPECT_TRUE(names.insert(sample).second) << sample;
      EXPECT_GE(value, 0) << sample;
    }
    const std::regex unit(".*_(bytes|blocks|total|ratio|level|seconds)");
    EXPECT_TRUE(std::regex_match(name, unit)) << name;
  }
  const auto value = [&](const std::string& name) {
    return families.at(name).samples.at(0).second;
  };
  EXPECT_EQ(value("bitnet_memory_live_bytes"),
            static_cast<double>(report.detail.memory.live_bytes));
  EXPECT_EQ(value("bitnet_memory_pressure_level"), 2);
}

TEST(Prometheus, HistogramsAddUp) {
  const TrackingReport report = testing::SampleProgram().run();
  const auto families = parse_prometheus(to_prometheus(report.detail));
  const auto& samples = families.at("bitnet_memory_block_lifetime_seconds").samples;
  double before = 0, infinity = -1, count = -2;
  for (const auto& [name, value] : samples) {
    if (name.find("_bucket") != std::string::npos) {
      EXPECT_GE(value, before);
      before = value;
    }
    if (name.find("+Inf") != std::string::npos) infinity = value;
    if (name.ends_with("_count")) count = value;
  }
  EXPECT_EQ(infinity, count);
  EXPECT_EQ(count, static_cast<double>(report.detail.lifetimes.all.total));
}

TEST(Prometheus, EscapesLabels) {
  const std::string text = to_prometheus(testing::SampleProgram().run().detail);
  EXPECT_NE(text.find("{tag=\"</script><b>\\\"a\\\\b\\\"\\n\x01,'\xef\xbf\xbd\"}"),
            std::string::npos);
}

}  // namespace
}  // namespace bitnet
