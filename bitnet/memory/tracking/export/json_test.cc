// SPDX-License-Identifier: MIT OR Apache-2.0
// What is written as JSON, read back by another parser.
#include "bitnet/memory/tracking/export/json.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "bitnet/memory/tracking/export/chrome_trace.h"
#include "bitnet/memory/tracking/export/sample_report.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

TEST(TrackingJson, HasWhatTheReportHas) {
  const TrackingReport report = testing::SampleProgram().run();
  const Json json = Json::parse(to_json(report));
  EXPECT_EQ(json["schema"], "bitnet.memory_tracking/1");
  EXPECT_EQ(json["level"], "detailed");
  EXPECT_EQ(json["memory"]["live_bytes"], report.detail.memory.live_bytes);
  EXPECT_EQ(json["memory"]["classes"][0]["block_bytes"], 4096);
  EXPECT_EQ(json["pressure"]["level"], "medium");
  EXPECT_EQ(json["timeline"]["series"].size(), 4u);
  const Json& points = json["timeline"]["points"];
  ASSERT_EQ(points.size(), report.timeline.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::uint64_t sum = 0;
    for (const Json& bytes : points[i]["series_bytes"]) sum += bytes.get<std::uint64_t>();
    ASSERT_EQ(points[i]["live_bytes"], sum);
    ASSERT_EQ(points[i]["time_ms"], report.timeline[i].time_ms);
  }
  EXPECT_EQ(json["top_tags"][0]["tag"], "weights");
  EXPECT_EQ(json["leaks"]["blocks"], report.leaks.blocks);
  EXPECT_EQ(json["leaks"]["candidates"].size(), report.leaks.candidates.size());
  EXPECT_EQ(json["leaks"]["candidates"][0]["address"].get<std::string>().substr(0, 4), "0x7f");
  EXPECT_EQ(json["patterns"].size(), report.detail.patterns.size());
  EXPECT_EQ(json["fragmentation_map"].size(), report.map.size());
  EXPECT_EQ(json["profile"]["total"]["allocations"], report.profile->total.allocations);
  EXPECT_EQ(json["lifetimes"]["all"]["blocks"], report.detail.lifetimes.all.total);
  EXPECT_EQ(json["events"]["seen"], report.detail.events.seen);
  std::map<std::uint64_t, bool> named;
  for (const Json& stack : json["stacks"]) named[stack["site"]] = !stack["frames"].empty();
  for (const Json& site : json["sites"]) EXPECT_TRUE(named[site["site"]]);
}

TEST(TrackingJson, NamesOfAnyBytesAreValid) {
  const Json json = Json::parse(to_json(testing::SampleProgram().run()));
  const std::string expected = "</script><b>\"a\\b\"\n\x01,'\xef\xbf\xbd";
  EXPECT_EQ(json["profile"]["name"], "serve " + expected);
  bool found = false;
  for (const Json& name : json["timeline"]["series"]) found = found || name == expected;
  EXPECT_TRUE(found);
}

TEST(TrackingJson, AnEmptyReportIsValid) {
  const Json json = Json::parse(to_json(TrackingReport{}));
  EXPECT_FALSE(json.contains("profile"));
  EXPECT_FALSE(json["leaks"].contains("unseen_blocks"));
  EXPECT_TRUE(Json::parse(to_chrome_trace(TrackingReport{})).is_object());
}

TEST(ValidUtf8, KeepsWhatIsAndReplacesWhatIsNot) {
  const std::string kBad = "\xef\xbf\xbd";
  EXPECT_EQ(valid_utf8("größe €\U0001F600"), "größe €\U0001F600");
  EXPECT_EQ(valid_utf8("\xc0\x80"), kBad + kBad);            // overlong
  EXPECT_EQ(valid_utf8("a\xe2\x82"), "a" + kBad + kBad);     // cut off
  EXPECT_EQ(valid_utf8("\xed\xa0\x80").substr(0, 3), kBad);  // surrogate
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80").substr(0, 3), kBad);
  EXPECT_EQ(valid_utf8("\xf8x"), kBad + "x");
  std::string all;
  for (int i = 0; i < 256; ++i)
    for (int j = 0; j < 256; ++j) {
      all = {static_cast<char>(i), static_cast<char>(j), '\x80', static_cast<char>(j)};
      EXPECT_NO_THROW(Json(valid_utf8(all)).dump()) << i << " " << j;
    }
}

TEST(ChromeTrace, IsWhatViewersExpect) {
  const TrackingReport report = testing::SampleProgram().run();
  const Json trace = Json::parse(to_chrome_trace(report));
  std::map<std::string, std::size_t> phases;
  std::map<std::string, std::uint64_t> last;
  for (const Json& event : trace["traceEvents"]) {
    const std::string phase = event["ph"];
    ++phases[phase];
    EXPECT_TRUE(event["name"].is_string() && event["pid"].is_number() && event["ts"].is_number());
    if (phase != "C") continue;
    std::uint64_t& before = last[event["name"]];
    EXPECT_GE(event["ts"], before);
    before = event["ts"];
    for (const auto& [name, value] : event["args"].items()) EXPECT_TRUE(value.is_number()) << name;
  }
  EXPECT_EQ(phases["M"], 1u);
  EXPECT_EQ(phases["X"], 1u);
  EXPECT_EQ(phases["C"], 3 * report.timeline.size());
  EXPECT_EQ(phases["i"], report.leaks.groups.size() + report.detail.patterns.size());
  EXPECT_EQ(last["committed bytes"], report.timeline.back().time_ms * 1000);
}

}  // namespace
}  // namespace bitnet
