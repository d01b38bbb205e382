// SPDX-License-Identifier: MIT OR Apache-2.0
// The page stands alone, and draws in a real browser where there is one.
#include "bitnet/memory/tracking/export/html.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "bitnet/base/html_testing.h"
#include "bitnet/memory/tracking/export/sample_report.h"

namespace bitnet {
namespace {

using testing::Browser;
using testing::occurrences;

TEST(Html, IsOnePageWithoutOutsideResources) {
  const std::string page = to_html(testing::SampleProgram().run());
  EXPECT_EQ(page.rfind("<!doctype html>", 0), 0u);
  EXPECT_EQ(occurrences(page, "</script>"), 2u);  // names of tags do not end it
  for (const char* outside : {"src=\"", "@import", "fetch(", "href=\"http"})
    EXPECT_EQ(occurrences(page, outside), 0u) << outside;
  EXPECT_EQ(occurrences(page, "http"), 2u);  // http-equiv, and the name of the SVG namespace
  EXPECT_EQ(occurrences(page, "innerHTML"), 0u);
  if (const char* keep = std::getenv("BITNET_KEEP_REPORT")) std::ofstream(keep) << page;
}

TEST(Html, LongTimelinesAreReduced) {
  TrackingReport report;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    TimelinePoint p;
    p.time_ms = i * 10;
    report.timeline.push_back(p);
  }
  EXPECT_LT(to_html(report).size(), 400'000u);
}

TEST(Html, ItsScriptDrawsInABrowser) {
  const Browser browser;
  if (!browser.found()) GTEST_SKIP() << "no chromium here: the page's script was not run";
  const std::string dom = browser.dom(to_html(testing::SampleProgram().run()));
  EXPECT_EQ(occurrences(dom, "data-drawn=\"yes\""), 1u);
  for (const char* drawing : {"timeline-svg", "flame-svg", "map-svg", "lifetimes-svg"})
    EXPECT_EQ(occurrences(dom, "id=\"" + std::string(drawing) + "\""), 1u) << drawing;
  EXPECT_EQ(occurrences(dom, "class=\"area\""), 4u);  // one for each tag
  EXPECT_GT(occurrences(dom, "<rect"), 170u);         // 160 ranges of the map, stacks, lifetimes
  EXPECT_GT(occurrences(dom, ">bitnet::testing::SampleProgram::load</text>"), 0u);
  EXPECT_GT(occurrences(dom, "<td>threads 1 -&gt; 2</td>"), 0u);
  EXPECT_EQ(occurrences(dom, "NaN"), 0u);
  EXPECT_EQ(occurrences(dom, "undefined"), 0u);
}

TEST(Html, AnEmptyReportDrawsToo) {
  const Browser browser;
  if (!browser.found()) GTEST_SKIP() << "no chromium here: the page's script was not run";
  const std::string dom = browser.dom(to_html(TrackingReport{}));
  EXPECT_EQ(occurrences(dom, "data-drawn=\"yes\""), 1u);
  EXPECT_EQ(occurrences(dom, "NaN"), 0u);
}

}  // namespace
}  // namespace bitnet
