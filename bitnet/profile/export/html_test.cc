// SPDX-License-Identifier: MIT OR Apache-2.0
// The page stands alone, and draws in a real browser where there is one.
#include "bitnet/profile/export/html.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "bitnet/base/html_testing.h"
#include "bitnet/profile/export/sample_document.h"

namespace bitnet::profile {
namespace {

using bitnet::testing::Browser;
using bitnet::testing::occurrences;

TEST(ProfilePage, IsOnePageWithoutOutsideResources) {
  const std::string page = to_html(testing::sample_document());
  EXPECT_EQ(page.rfind("<!doctype html>", 0), 0u);
  EXPECT_EQ(occurrences(page, "</script>"), 2u);  // names of ops do not end it
  for (const char* outside : {"src=\"", "@import", "fetch(", "href=\"http", "innerHTML"})
    EXPECT_EQ(occurrences(page, outside), 0u) << outside;
  EXPECT_EQ(occurrences(page, "http"), 2u);  // http-equiv, and the name of the SVG namespace
  if (const char* keep = std::getenv("BITNET_KEEP_REPORT")) std::ofstream(keep) << page;
}

TEST(ProfilePage, LongRecordingsAreCut) {
  Document d = testing::sample_document();
  for (int i = 0; i < 200'000; ++i) d.report.events.push_back({0, 0, 1e-3 * i, 1e-4});
  EXPECT_LT(to_html(d).size(), 1'500'000u);
}

TEST(ProfilePage, ItsScriptDrawsInABrowser) {
  const Browser browser;
  if (!browser.found()) GTEST_SKIP() << "no chromium here: the page's script was not run";
  const std::string dom = browser.dom(to_html(testing::sample_document()));
  EXPECT_EQ(occurrences(dom, "data-drawn=\"yes\""), 1u);
  for (const char* drawing : {"roofline-svg", "step-svg"})
    EXPECT_EQ(occurrences(dom, "id=\"" + std::string(drawing) + "\""), 1u) << drawing;
  EXPECT_EQ(occurrences(dom, "<circle"), 2u);  // the copy computes nothing
  EXPECT_EQ(occurrences(dom, "class=\"roof\""), 3u);
  EXPECT_EQ(occurrences(dom, "<rect"), 4u);  // one step
  EXPECT_GT(occurrences(dom, ">12.5 GB/s</td>"), 0u);
  EXPECT_GT(occurrences(dom, "No dot: copy (no arithmetic)."), 0u);
  EXPECT_GT(occurrences(dom, "spans without a place in time"), 0u);
  EXPECT_GT(occurrences(dom, "this is a sample"), 0u);
  EXPECT_EQ(occurrences(dom, "NaN"), 0u);
  EXPECT_EQ(occurrences(dom, "undefined"), 0u);
}

TEST(ProfilePage, AnEmptyProfileDrawsToo) {
  const Browser browser;
  if (!browser.found()) GTEST_SKIP() << "no chromium here: the page's script was not run";
  const std::string dom = browser.dom(to_html(Document{}));
  EXPECT_EQ(occurrences(dom, "data-drawn=\"yes\""), 1u);
  EXPECT_EQ(occurrences(dom, "NaN"), 0u);
}

TEST(ProfilePage, DrawsWithoutKnownRoofs) {
  const Browser browser;
  if (!browser.found()) GTEST_SKIP() << "no chromium here: the page's script was not run";
  Document d = testing::sample_document();
  d.roof = Roof{};
  const std::string dom = browser.dom(to_html(d));
  EXPECT_EQ(occurrences(dom, "data-drawn=\"yes\""), 1u);
  EXPECT_EQ(occurrences(dom, "<circle"), 2u);
  EXPECT_EQ(occurrences(dom, "class=\"roof\""), 0u);
  EXPECT_EQ(occurrences(dom, "NaN"), 0u);
}

}  // namespace
}  // namespace bitnet::profile
