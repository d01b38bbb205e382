// SPDX-License-Identifier: MIT OR Apache-2.0
// What is written as JSON, read back by another parser.
#include "bitnet/profile/export/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bitnet/profile/export/chrome_trace.h"
#include "bitnet/profile/export/sample_document.h"

namespace bitnet::profile {
namespace {

using Json = nlohmann::json;
const std::string kName = "</script><b>\"a\\b\"\n\x01,'\xef\xbf\xbd";  // kHostileName in UTF-8

TEST(ProfileJson, HasWhatTheDocumentHas) {
  const Document d = testing::sample_document();
  const Json json = Json::parse(to_json(d));
  EXPECT_EQ(json["schema"], "bitnet.profile/1");
  EXPECT_EQ(json["facts"]["model"], kName);
  EXPECT_EQ(json["lost_events"], 3);
  EXPECT_EQ(json["kept_events"], 8);
  EXPECT_EQ(json["roof"]["int8_ops_per_second"], 800e9);
  EXPECT_TRUE(json["hardware"]["cycles"].is_null());
  EXPECT_EQ(json["hardware"]["unavailable"], "not available: this is a sample");
  ASSERT_EQ(json["ops"].size(), 4u);
  const Json& product = json["ops"][0];
  EXPECT_EQ(product["name"], "product");
  EXPECT_EQ(product["count"], 2);
  EXPECT_EQ(product["bytes"], 2'000'000);
  EXPECT_EQ(product["int8_ops"], 8'000'000);
  EXPECT_DOUBLE_EQ(product["share"], 0.8);
  EXPECT_DOUBLE_EQ(product["mean_seconds"], 80e-6);
  EXPECT_DOUBLE_EQ(product["bytes_per_second"], 12.5e9);
  EXPECT_DOUBLE_EQ(product["share_of_bandwidth"], 0.625);
  EXPECT_NEAR(product["share_of_peak"], 10.01 / 160, 1e-9);
  EXPECT_EQ(json["ops"][1]["name"], kName);
  const Json& copy = json["ops"][3];
  EXPECT_TRUE(copy["ops_per_byte"].is_null() && copy["share_of_peak"].is_null());
  ASSERT_EQ(json["calls"].size(), 4u);
  EXPECT_EQ(json["calls"][0]["parent"], -1);
  EXPECT_EQ(json["calls"][3]["parent"], 0);
  EXPECT_FALSE(json.contains("events"));
}

TEST(ProfileJson, EventsAreTheEarliestSpansAndTheLatest) {
  Document d = testing::sample_document();
  const Json all = Json::parse(to_json_with_events(d, 8));
  EXPECT_EQ(all["events_left_out"], 0);
  ASSERT_EQ(all["events"].size(), 8u);
  EXPECT_EQ(all["events"][4], Json::parse("[0, 0, 150.0, 100.0]"));
  const Json few = Json::parse(to_json_with_events(d, 7));  // less than ten: none of the earliest
  EXPECT_EQ(few["events_left_out"], 1);
  EXPECT_EQ(few["events"][0], Json::parse("[1, 0, 11.0, 80.0]"));

  for (int i = 0; i < 100; ++i) d.report.events.push_back({3, 0, 1e-3 + 1e-6 * i, 1e-7});
  const Json cut = Json::parse(to_json_with_events(d, 60));  // 6, of which a step is whole: 4
  EXPECT_EQ(cut["events_left_out"], 48);
  ASSERT_EQ(cut["events"].size(), 60u);
  EXPECT_EQ(cut["events"][3], Json::parse("[3, 0, 103.0, 5.0]"));
  EXPECT_EQ(cut["events"][4], Json::parse("[3, 0, 1044.0, 0.1]"));
}

TEST(ProfileJson, AnEmptyDocumentIsValid) {
  const Json json = Json::parse(to_json(Document{}));
  EXPECT_TRUE(json["ops"].empty());
  EXPECT_TRUE(json["roof"]["float_ops_per_second"].is_null());
  EXPECT_TRUE(Json::parse(to_chrome_trace(Report{})).is_object());
}

TEST(ProfileTrace, IsWhatViewersExpect) {
  const Report r = testing::sample_document().report;
  const Json trace = Json::parse(to_chrome_trace(r));
  EXPECT_EQ(trace["otherData"]["lost_events"], 3);
  std::size_t spans = 0, rows = 0;
  std::vector<double> ends;  // of the spans that are open, outermost first
  for (const Json& e : trace["traceEvents"]) {
    ASSERT_TRUE(e["pid"].is_number() && e["tid"].is_number() && e["name"].is_string());
    if (e["ph"] == "M") rows += e["name"] == "thread_name";
    if (e["ph"] != "X") continue;
    ++spans;
    const double begin = e["ts"], end = begin + e["dur"].get<double>();
    while (!ends.empty() && ends.back() <= begin) ends.pop_back();
    if (!ends.empty()) {
      EXPECT_LE(end, ends.back());  // inside, or the viewer draws nonsense
    }
    ends.push_back(end);
  }
  EXPECT_EQ(spans, r.events.size());
  EXPECT_EQ(rows, 1u);
  EXPECT_EQ(trace["traceEvents"][2]["name"], "step");
  EXPECT_EQ(trace["traceEvents"][2]["ts"], 10.0);
  EXPECT_EQ(trace["traceEvents"][4]["name"], kName);
}

}  // namespace
}  // namespace bitnet::profile
