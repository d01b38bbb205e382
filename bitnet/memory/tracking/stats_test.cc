// SPDX-License-Identifier: MIT OR Apache-2.0
// Counts by tag and site, peaks, lifetimes.
#include "bitnet/memory/tracking/stats.h"

#include <gtest/gtest.h>

#include <random>

#include "bitnet/memory/tracking/lifetimes.h"

namespace bitnet {
namespace {

TEST(Aggregates, CountByTagAndSite) {
  Aggregates all;
  all.allocate(3, 100);
  all.allocate(1, 50);
  all.attribute(7, 50);
  all.allocate(3, 10);
  all.free(1, 7, 50);
  EXPECT_EQ(all.total.allocations, 3u);
  EXPECT_EQ(all.total.live_bytes, 110u);
  EXPECT_EQ(all.tags[3].live_blocks, 2u);
  EXPECT_EQ(all.tags[1].live_bytes, 0u);
  EXPECT_EQ(all.sites[7].frees, 1u);
  const auto tags = all.top_tags(5);
  ASSERT_EQ(tags.size(), 2u);  // tags 0 and 2 were never seen
  EXPECT_EQ(tags[0].tag, 3u);
  EXPECT_EQ(tags[1].tag, 1u);
  EXPECT_EQ(all.top_tags(1).size(), 1u);
  EXPECT_EQ(all.top_sites(5).size(), 1u);
}

TEST(Aggregates, SinceCountsTheDifference) {
  Aggregates all;
  all.allocate(0, 100);
  const Aggregates before = all;
  all.allocate(2, 30);
  all.free(0, 0, 100);
  const Aggregates during = all.since(before);
  EXPECT_EQ(during.total.allocations, 1u);
  EXPECT_EQ(during.total.frees, 1u);
  EXPECT_EQ(during.total.allocated_bytes, 30u);
  EXPECT_EQ(during.total.live_bytes, 30u);
  EXPECT_EQ(during.tags[2].allocations, 1u);
}

TEST(PeakWatch, KnowsThePeakAndWhatWasLiveAtIt) {
  std::mt19937 random(5);
  Aggregates all;
  PeakWatch watch;
  watch.begin(all, 0);
  std::vector<std::pair<std::uint16_t, std::uint64_t>> live;
  std::uint64_t highest = 0;
  for (std::uint64_t t = 1; t < 20'000; ++t) {
    if (live.empty() || random() % 100 < (t < 10'000 ? 60 : 40)) {
      live.emplace_back(random() % 5, 1 + random() % 5000);
      all.allocate(live.back().first, live.back().second);
      watch.rise(all, t);
      highest = std::max(highest, all.total.live_bytes);
    } else {
      std::swap(live[random() % live.size()], live.back());
      watch.fall(all);
      all.free(live.back().first, 0, live.back().second);
      live.pop_back();
    }
  }
  const PeakWatch::Peak peak = watch.peak(all);
  EXPECT_EQ(peak.bytes, highest);
  EXPECT_GE(peak.kept_bytes, highest / 100 * 99);
  std::uint64_t sum = 0;
  for (const TagStats& tag : peak.tags) sum += tag.live_bytes;
  EXPECT_EQ(sum, peak.kept_bytes);
}

TEST(PeakWatch, WhereThePeakIsNowItIsNow) {
  Aggregates all;
  PeakWatch watch;
  watch.begin(all, 5);
  EXPECT_EQ(watch.peak(all).time_ms, 5u);
  all.allocate(1, 64);
  watch.rise(all, 9);
  const PeakWatch::Peak peak = watch.peak(all);
  EXPECT_EQ(peak.time_ms, 9u);
  EXPECT_EQ(peak.kept_bytes, 64u);
  ASSERT_EQ(peak.tags.size(), 1u);
  EXPECT_EQ(peak.tags[0].tag, 1u);
}

TEST(Lifetimes, QuantilesAreUpperEdgesOfPowersOfTwo) {
  LifetimeHistogram h;
  EXPECT_EQ(h.quantile_ms(0.5), 0u);
  for (int i = 0; i < 90; ++i) h.add(0);
  for (int i = 0; i < 9; ++i) h.add(100);
  h.add(5000);
  EXPECT_EQ(h.quantile_ms(0.5), 1u);
  EXPECT_EQ(h.quantile_ms(0.9), 1u);
  EXPECT_EQ(h.quantile_ms(0.95), 128u);
  EXPECT_EQ(h.quantile_ms(1.0), 8192u);
  h.add(UINT64_MAX);
  EXPECT_EQ(h.counts.back(), 1u);
}

TEST(Lifetimes, AreCountedByTagAndSize) {
  Lifetimes lives;
  lives.add(4, 1000, 10);
  lives.add(2, UINT64_MAX, 20);
  EXPECT_EQ(lives.all.total, 2u);
  EXPECT_EQ(lives.of_tag(4)->total, 1u);
  EXPECT_EQ(lives.of_tag(3)->total, 0u);
  EXPECT_EQ(lives.of_tag(5), nullptr);
  EXPECT_EQ(lives.by_size[10].total, 1u);
  EXPECT_EQ(lives.by_size.back().total, 1u);
}

}  // namespace
}  // namespace bitnet
