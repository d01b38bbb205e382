// SPDX-License-Identifier: MIT OR Apache-2.0
// The page stands alone, and draws in a real browser where there is one.
#include "bitnet/memory/tracking/export/html.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bitnet/base/os/threads.h"
#include "bitnet/memory/tracking/export/sample_report.h"

namespace bitnet {
namespace {

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return out;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    out.append(buffer.data(), n);
  ::pclose(pipe);
  return out;
}

/// A page in a folder of its own, as a browser without a sandbox of its own sees it.
class Browser {
 public:
  Browser()
      : folder_(::testing::TempDir() + "bitnet_html_test_" + std::to_string(os::process_id())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
      if (name_.empty() && !output_of(std::string("command -v ") + name).empty()) name_ = name;
  }
  ~Browser() { std::filesystem::remove_all(folder_); }
  bool found() const { return !name_.empty(); }
  /// The document after its scripts ran.
  std::string dom(const std::string& page) const {
    std::ofstream(folder_ + "/page.html") << page;
    return output_of("timeout 60 " + name_ +
                     " --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir='" +
                     folder_ + "/profile' --dump-dom 'file://" + folder_ +
                     "/page.html' 2>/dev/null");
  }

 private:
  std::string folder_, name_;
};

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
