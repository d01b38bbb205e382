// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace bitnet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TimelinePoint point(std::uint64_t time_ms, std::uint64_t live, std::uint64_t peak = 0) {
  TimelinePoint p;
  p.time_ms = time_ms;
  p.live_bytes = live;
  p.peak_bytes = std::max(live, peak);
  return p;
}

TEST(Timeline, KeepsWhatFits) {
  Timeline timeline(10, hours(1));
  for (std::uint64_t t = 1; t <= 10; ++t) timeline.add(point(t, t * 100));
  const auto points = timeline.points();
  ASSERT_EQ(points.size(), 10u);
  EXPECT_EQ(timeline.resolution_ms(), 1u);
  EXPECT_EQ(points[3].time_ms, 4u);
  EXPECT_EQ(points[3].live_bytes, 400u);
}

/// However many points come: bounded memory, the whole span, the true peak, the last state.
TEST(Timeline, GetsCoarserInsteadOfForgetting) {
  std::mt19937 random(3);
  Timeline timeline(64, hours(1000));
  std::uint64_t highest = 0, last = 0;
  for (std::uint64_t t = 0; t < 100'000; ++t) {
    last = random() % 100'000;
    const std::uint64_t peak = last + random() % 1000;
    highest = std::max(highest, peak);
    timeline.add(point(t, last, peak));
    ASSERT_LE(timeline.points().size(), 64u);
  }
  const auto points = timeline.points();
  EXPECT_GE(points.size(), 32u);
  EXPECT_LE(points.front().time_ms, 2 * timeline.resolution_ms());
  EXPECT_EQ(points.back().time_ms, 99'999u);
  EXPECT_EQ(points.back().live_bytes, last);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    seen = std::max(seen, points[i].peak_bytes);
    if (i > 0) {
      EXPECT_GT(points[i].time_ms, points[i - 1].time_ms);
    }
  }
  EXPECT_EQ(seen, highest);
  EXPECT_LE(timeline.size_bytes(), 130 * sizeof(TimelinePoint));
}

TEST(Timeline, ForgetsWhatIsOlderThanItsRetention) {
  Timeline timeline(1000, milliseconds(50));
  for (std::uint64_t t = 0; t < 10'000; ++t) {
    timeline.add(point(t, t));
    const auto points = timeline.points();
    ASSERT_EQ(points.size(), std::min<std::size_t>(t + 1, 51));
    ASSERT_EQ(points.back().time_ms - points.front().time_ms, std::min<std::uint64_t>(t, 50));
  }
  EXPECT_EQ(timeline.resolution_ms(), 1u);  // old points made the room
}

TEST(Timeline, ChangesWithinItsResolutionAreOnePoint) {
  Timeline timeline(8, hours(1));
  timeline.add(point(5, 100, 900));
  timeline.add(point(5, 50));
  ASSERT_EQ(timeline.points().size(), 1u);
  EXPECT_EQ(timeline.points()[0].live_bytes, 50u);
  EXPECT_EQ(timeline.points()[0].peak_bytes, 900u);
}

TEST(SeriesOfTags, TheFirstTagsHaveTheirOwn) {
  SeriesOfTags series;
  for (std::uint16_t tag = 100; tag < 115; ++tag) EXPECT_EQ(series.series(tag), tag - 100u);
  EXPECT_FALSE(series.shared());
  EXPECT_EQ(series.series(7), SeriesOfTags::kShared);
  EXPECT_EQ(series.series(8), SeriesOfTags::kShared);
  EXPECT_EQ(series.series(103), 3u);
  EXPECT_TRUE(series.shared());
  EXPECT_EQ(series.tags().size(), 15u);
}

}  // namespace
}  // namespace bitnet
