// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/export/text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "bitnet/profile/export/sample_document.h"

namespace bitnet::profile {
namespace {

std::string line_of(const std::string& text, const std::string& start) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(start)) return line;
  return {};
}

TEST(ProfileText, ALineForEachOp) {
  const std::string text = to_text(testing::sample_document());
  // 160 us of 200; 2 MB in 160 us are 12.5 GB/s; 8 M int8 operations at 800 G/s need 10 us.
  std::istringstream cells(line_of(text, "product"));
  const std::vector<std::string> words{std::istream_iterator<std::string>(cells), {}};
  EXPECT_EQ(words, (std::vector<std::string>{"product", "80.0", "%", "160", "us", "2", "80.0", "us",
                                             "4.00", "op/B", "12.5", "GB/s", "62.5", "%", "50.0",
                                             "Gop/s", "6.3", "%"}));
  EXPECT_NE(line_of(text, "copy").find(" - "), std::string::npos);
  EXPECT_EQ(line_of(text, "recorded"), "recorded  300 us");
  EXPECT_EQ(line_of(text, "roof"), "roof      reads 20.0 GB/s, float 100 Gop/s, int8 800 Gop/s");
  EXPECT_EQ(line_of(text, "counters"), "counters  not available: this is a sample");
  EXPECT_EQ(line_of(text, "3 spans"),
            "3 spans have no place in the timeline, which was full; the sums have them");
}

TEST(ProfileText, CountersAndMissingSpans) {
  Document d;
  d.hardware.unavailable.clear();
  d.hardware.cycles = 2'500'000'000;
  d.hardware.cache_misses = 1234;
  d.report.unrecorded_spans = 7;
  const std::string text = to_text(d);
  EXPECT_EQ(line_of(text, "counters"), "counters  2.50 G cycles, 1.23 k cache misses");
  EXPECT_EQ(line_of(text, "roof"), "roof      reads -, float -, int8 -");
  EXPECT_EQ(line_of(text, "7 spans"), "7 spans are missing in the sums");
}

}  // namespace
}  // namespace bitnet::profile
