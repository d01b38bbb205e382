// SPDX-License-Identifier: MIT OR Apache-2.0
// Real leaks are found by age and by site; lost events and freed blocks give none.
#include "bitnet/memory/tracking/leaks.h"

#include <gtest/gtest.h>

#include "bitnet/memory/tracking/fake_pool.h"
#include "bitnet/memory/tracking/report.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Bench;

TEST(Leaks, AreFoundByAge) {
  Bench b;
  const std::uint64_t old = b.allocate(1000);
  b.after(seconds(10));
  b.allocate(50);
  b.after(seconds(5));
  const LeakReport report = b.tracker.find_leaks(seconds(8));
  ASSERT_EQ(report.candidates.size(), 1u);
  EXPECT_EQ(report.candidates[0].address, old);
  EXPECT_EQ(report.candidates[0].bytes, 1000u);
  EXPECT_EQ(report.candidates[0].age_ms, 15'000u);
  EXPECT_EQ(report.min_age_ms, 8000u);
  EXPECT_EQ(b.tracker.find_leaks(seconds(0)).bytes, 1050u);
}

TEST(Leaks, AtShutdownNothingIsLeftOfAProgramThatFreesAll) {
  Bench b;
  std::vector<std::uint64_t> blocks;
  for (int i = 0; i < 500; ++i) blocks.push_back(b.allocate(64));
  for (const std::uint64_t block : blocks) b.free(block);
  const LeakReport report = b.tracker.find_leaks(milliseconds(0));
  EXPECT_EQ(report.blocks, 0u);
  EXPECT_EQ(report.unseen_blocks, 0u);
}

[[gnu::noinline]] std::uint64_t leaky_function(Bench& b) {
  const std::uint64_t address = b.allocate(256);
  asm volatile("" ::: "memory");
  return address;
}

TEST(Leaks, NameTheirSite) {
  Bench b(TrackingConfig::debug());
  b.after(milliseconds(10));
  leaky_function(b);
  b.after(std::chrono::minutes(10));
  const TrackingReport report = b.tracker.report();
  ASSERT_EQ(report.leaks.groups.size(), 1u);
  bool named = false;
  for (const std::string& frame : report.frames(report.leaks.groups[0].site))
    named = named || frame.find("leaky_function") != std::string::npos;
  EXPECT_TRUE(named);
}

TEST(Leaks, AreGroupedBySiteAndTag) {
  Bench b;
  {
    const TagScope tag("leaks_test.cache");
    for (int i = 0; i < 3; ++i) b.allocate(100);
  }
  b.allocate(1000);
  const LeakReport report = b.tracker.find_leaks(milliseconds(0));
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[0].bytes, 1000u);
  EXPECT_EQ(tag_name(report.groups[1].tag), "leaks_test.cache");
  EXPECT_EQ(report.groups[1].blocks, 3u);
}

/// The events of frees were lost (rings full): the pool knows better.
TEST(Leaks, LostEventsAreNoLeaks) {
  Bench b;
  std::vector<std::uint64_t> blocks;
  for (std::uint32_t i = 0; i < EventRing::kCapacity; ++i) blocks.push_back(b.allocate(64));
  for (const std::uint64_t block : blocks) b.free(block);  // none of these fits
  b.after(milliseconds(1));
  EXPECT_EQ(b.tracker.detailed_metrics().events.lost, EventRing::kCapacity);
  EXPECT_EQ(b.tracker.find_leaks(milliseconds(0)).blocks, 0u);
  const DetailedMemoryMetrics m = b.tracker.detailed_metrics();
  EXPECT_EQ(m.events.reconciled, EventRing::kCapacity);
  EXPECT_EQ(m.blocks.live_bytes, 0u);
}

/// Without a search, the next update of counters puts the live table right.
TEST(Leaks, LostFreesAreReconciledByItself) {
  Bench b;
  std::vector<std::uint64_t> blocks;
  for (std::uint32_t i = 0; i < EventRing::kCapacity; ++i) blocks.push_back(b.allocate(64));
  for (const std::uint64_t block : blocks) b.free(block);
  b.after(seconds(11));
  EXPECT_EQ(b.tracker.report().timeline.back().live_bytes, 0u);
}

TEST(Leaks, BlocksWithoutEventsAreCounted) {
  Bench b;
  b.pool.allocate(64);  // at a lower level
  b.allocate(64);
  EXPECT_EQ(b.tracker.find_leaks(milliseconds(0)).unseen_blocks, 1u);
}

TEST(Leaks, BlocksMuchOlderThanTheirKindAreMarked) {
  Bench b;
  const auto block_for = [&](int ms) {
    const std::uint64_t block = b.allocate(64);
    b.after(milliseconds(ms));
    b.free(block);
  };
  for (int i = 0; i < 150; ++i) block_for(3);
  b.allocate(64);
  b.after(milliseconds(39));
  EXPECT_FALSE(b.tracker.find_leaks(milliseconds(0)).candidates.at(0).outlived);
  b.after(seconds(1));
  const LeakReport report = b.tracker.find_leaks(milliseconds(0));
  EXPECT_TRUE(report.candidates.at(0).outlived);
  EXPECT_EQ(report.groups.at(0).outlived, 1u);
}

/// Whatever the order in which the table gives them.
TEST(Leaks, TheLargestAreKept) {
  for (const std::uint64_t step : {1u, 7u, 331u, 503u, 999u}) {
    Bench b;
    for (std::uint64_t i = 0; i < 1000; ++i) b.allocate((1 + i * step % 1000) * 10);
    const LeakReport report = b.tracker.find_leaks(milliseconds(0));
    EXPECT_EQ(report.blocks, 1000u);
    ASSERT_EQ(report.candidates.size(), LeakReport::kMostCandidates);
    for (std::size_t i = 0; i < report.candidates.size(); ++i)
      ASSERT_EQ(report.candidates[i].bytes, 10 * (1000 - i)) << step;
  }
}

TEST(Leaks, GrowthOfTheirTagIsTold) {
  Bench b;
  const TagScope tag("leaks_test.growing");
  for (int i = 0; i < 150; ++i) {
    b.allocate(10'000);
    b.after(milliseconds(100));
  }
  EXPECT_TRUE(b.tracker.find_leaks(milliseconds(0)).groups.at(0).grows);
}

}  // namespace
}  // namespace bitnet
