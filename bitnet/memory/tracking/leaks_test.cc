// SPDX-License-Identifier: MIT OR Apache-2.0
// Real leaks are found by age and by site; lost events and freed blocks give none.
#include "bitnet/memory/tracking/leaks.h"

#include <gtest/gtest.h>

#include <random>

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

/// More allocations than a ring holds, all freed: most frees find it full.
void lose_frees(Bench& b) {
  std::vector<std::uint64_t> blocks;
  for (std::uint32_t i = 0; i < EventRing::kCapacity; ++i) blocks.push_back(b.allocate(64));
  for (const std::uint64_t block : blocks) b.free(block);
}

/// With the pool's knowledge or without it.
TEST(Leaks, LostEventsAreNoLeaks) {
  for (const bool knows_live : {true, false}) {
    Bench b;
    b.pool.knows_live = knows_live;
    lose_frees(b);
    b.after(milliseconds(1));
    EXPECT_EQ(b.tracker.detailed_metrics().events.lost, EventRing::kCapacity);
    EXPECT_EQ(b.tracker.find_leaks(milliseconds(0)).blocks, 0u);
    const DetailedMemoryMetrics m = b.tracker.detailed_metrics();
    EXPECT_EQ(m.events.reconciled, EventRing::kAllocationCapacity / 3 * 2);
    EXPECT_EQ(m.blocks.live_bytes, 0u);
  }
}

/// Threads outrun the tracker at random, and the pool cannot tell: what is called a leak is live.
TEST(Leaks, AreNeverFalseHoweverManyEventsAreLost) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    std::mt19937 random(seed);
    Bench b;
    b.pool.knows_live = false;
    b.pool.reuses_addresses = seed % 2 == 0;
    EventRing* rings[] = {b.ring, b.tracker.open_ring()};
    std::vector<std::uint64_t> live;
    const auto run = [&](std::uint32_t steps) {
      for (std::uint32_t i = 0; i < steps; ++i) {
        EventRing& ring = *rings[random() % 2];
        if (live.size() < 100 || (live.size() < 5000 && random() % 2 == 0)) {
          live.push_back(b.allocate(ring, 64));
        } else {
          std::swap(live[random() % live.size()], live.back());
          b.free(ring, live.back());
          live.pop_back();
        }
      }
    };
    for (int pass = 0; pass < 10; ++pass) {
      run(static_cast<std::uint32_t>(random() % 40'000));
      b.after(milliseconds(1));
    }
    EXPECT_GT(b.tracker.detailed_metrics().events.lost, 0u);
    const LeakReport report = b.tracker.find_leaks(milliseconds(0));
    for (const LeakCandidate& c : report.candidates) ASSERT_TRUE(b.pool.holds(c.address)) << seed;
    EXPECT_LE(report.blocks, live.size());
    run(1000);  // and the tracker goes on as before
    EXPECT_GT(b.tracker.find_leaks(milliseconds(0)).blocks, 0u);
  }
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
