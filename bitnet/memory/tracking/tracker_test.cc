// SPDX-License-Identifier: MIT OR Apache-2.0
// The whole tracker: threads that allocate, one that concludes.
#include "bitnet/memory/tracking/tracker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "bitnet/memory/tracking/fake_pool.h"
#include "bitnet/memory/tracking/report.h"
#include "bitnet/memory/tracking/sites.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Bench;
using testing::FakePool;

/// Two blocks of one size: the free of the younger ends the younger.
TEST(Tracker, AFreeEndsItsOwnBlock) {
  Bench b;
  const std::uint64_t older = b.allocate(64);
  b.after(milliseconds(100));
  const std::uint64_t younger = b.allocate(64);
  b.after(milliseconds(3));
  b.free(younger);
  b.after(milliseconds(1));
  EXPECT_EQ(b.tracker.detailed_metrics().lifetimes.all.quantile_ms(1), 4u);  // 3 ms
  const LeakReport live = b.tracker.find_leaks(milliseconds(0));
  ASSERT_EQ(live.candidates.size(), 1u);
  EXPECT_EQ(live.candidates[0].address, older);
}

TEST(Tracker, FeedsEveryPartOfItsMetrics) {
  Bench b(TrackingConfig::debug());
  b.pool.base.small.free_bytes = 900;
  b.pool.base.small.largest_free_bytes = 500;
  b.pool.base.large.free_bytes = 100;
  b.pool.base.large.largest_free_bytes = 50;
  b.use_machine(75);
  b.after(milliseconds(10));
  std::vector<std::uint64_t> blocks;
  for (int i = 0; i < 200; ++i) blocks.push_back(b.allocate(512));
  b.after(seconds(400));
  for (int i = 0; i < 150; ++i) b.free(blocks[static_cast<std::size_t>(i)]);
  b.tick_per_look = milliseconds(1);
  b.after(seconds(1));
  const DetailedMemoryMetrics m = b.tracker.detailed_metrics();
  EXPECT_EQ(m.memory.live_bytes, 50u * 512);
  EXPECT_EQ(m.level, TrackingLevel::detailed);
  EXPECT_EQ(m.pressure_level, PressureLevel::low);
  EXPECT_EQ(m.pressure.system.total_bytes, 100'000u);
  EXPECT_DOUBLE_EQ(m.fragmentation_ratio, 1 - 550.0 / 1000);
  EXPECT_EQ(m.leaks.blocks, 200u);  // at the search after 400 s
  ASSERT_EQ(m.patterns.size(), 1u);
  EXPECT_EQ(m.patterns[0].subject, "512 bytes");
  EXPECT_EQ(m.lifetimes.all.total, 150u);
  EXPECT_EQ(m.blocks.live_bytes, 50u * 512);
  EXPECT_EQ(m.top_tags.at(0).live_blocks, 50u);
  EXPECT_FALSE(m.top_sites.empty());
  EXPECT_GE(m.events.seen, 350u);
  EXPECT_EQ(m.events.lost, 0u);
  EXPECT_GT(m.overhead.busy_seconds, 0);
  EXPECT_NEAR(m.overhead.wall_seconds, 401, 1);
  EXPECT_GT(m.overhead.resident_bytes, sizeof(EventRing));
  EXPECT_LT(m.overhead.percent(), 1);
}

/// The overhead is what the clock says, not an estimate.
TEST(Tracker, MeasuresItsOwnTime) {
  Bench b;
  b.tick_per_look = milliseconds(5);
  const double before = b.tracker.detailed_metrics().overhead.busy_seconds;
  b.tracker.poll();
  const double after = b.tracker.detailed_metrics().overhead.busy_seconds;
  EXPECT_GE(after - before, 0.005);
  EXPECT_LE(after - before, 0.1);
}

TEST(Tracker, StacksAreLimitedByTheSecond) {
  Bench b(TrackingConfig::debug());
  const auto captured = [&] {
    int count = 0;
    while (b.tracker.try_capture_site() != 0) ++count;
    return count;
  };
  captured();
  int in_a_second = 0;
  for (int i = 0; i < 100; ++i) {
    b.after(milliseconds(10));
    in_a_second += captured();
  }
  EXPECT_EQ(in_a_second, kSitesPerSecond);
  b.after(seconds(100));
  EXPECT_EQ(captured(), kSitesPerSecond / 10);  // no more than a tenth of a second's at once
}

TEST(Tracker, SitesKnowTheirBlocks) {
  Bench b(TrackingConfig::debug());
  b.after(milliseconds(10));
  std::uint64_t blocks[3];
  for (auto& block : blocks) block = b.allocate(100);
  b.free(blocks[0]);
  b.after(milliseconds(10));
  const TrackingReport report = b.tracker.report();
  ASSERT_EQ(report.sites.size(), 1u);
  EXPECT_EQ(report.sites[0].allocations, 3u);
  EXPECT_EQ(report.sites[0].live_bytes, 200u);
  EXPECT_FALSE(report.frames(report.sites[0].site).empty());
}

TEST(Tracker, TheTimelineShowsTags) {
  Bench b;
  {
    const TagScope tag("tracker_test.cache");
    b.allocate(300);
  }
  b.allocate(7);
  b.after(milliseconds(1));
  const TrackingReport report = b.tracker.report();
  ASSERT_EQ(report.timeline.size(), 1u);
  ASSERT_EQ(report.series.size(), 2u);
  EXPECT_EQ(report.series[0], "tracker_test.cache");
  EXPECT_EQ(report.series[1], "untagged");
  EXPECT_EQ(report.timeline[0].series_bytes[0], 300u);
  EXPECT_EQ(report.timeline[0].series_bytes[1], 7u);
  EXPECT_EQ(report.timeline[0].live_bytes, 307u);
}

TEST(Tracker, FindsPingPongBetweenRings) {
  Bench b;
  EventRing* other = b.tracker.open_ring();
  for (int i = 0; i < 200; ++i) b.free(*other, b.allocate(64));
  b.after(milliseconds(1));
  bool found = false;
  for (const PatternFinding& f : b.tracker.detailed_metrics().patterns)
    found = found || f.kind == PatternKind::ping_pong;
  EXPECT_TRUE(found);
}

/// Told once a change, at once where critical; critical inside a cooldown is not lost.
TEST(Tracker, TellsPressureOfTheSystem) {
  Bench b;
  std::vector<PressureLevel> told;
  const auto registration =
      b.tracker.register_pressure_callback([&](PressureLevel l) { told.push_back(l); });
  for (const std::uint64_t used : {50u, 75u, 99u, 99u}) {
    b.use_machine(used);
    b.after(seconds(1));
  }
  EXPECT_EQ(told, (std::vector{PressureLevel::low, PressureLevel::critical}));
  b.use_machine(50);
  b.after(seconds(1));
  EXPECT_EQ(told.size(), 2u);
  b.after(seconds(30));
  EXPECT_EQ(told.back(), PressureLevel::none);
}

/// A callback may ask the tracker for everything, and throw.
TEST(Tracker, CallbacksRunOutsideItsLocks) {
  Bench b;
  PressureRegistration inner;
  const auto registration = b.tracker.register_pressure_callback([&](PressureLevel) {
    b.tracker.report();
    b.tracker.find_leaks(milliseconds(0));
    inner = b.tracker.register_pressure_callback([](PressureLevel) {});
    throw std::runtime_error("ignored");
  });
  b.use_machine(99);
  b.after(seconds(1));
  EXPECT_TRUE(inner);
}

/// Operations and readings leave no history behind but the bounded timeline.
TEST(Tracker, PressureKeepsNoHistory) {
  Bench b(TrackingConfig::detailed());
  b.after(seconds(1));
  const std::uint64_t before = b.tracker.detailed_metrics().overhead.resident_bytes;
  for (int i = 0; i < 20'000; ++i) {
    b.free(b.allocate(64));
    b.after(milliseconds(1));
  }
  const std::uint64_t after = b.tracker.detailed_metrics().overhead.resident_bytes;
  EXPECT_LE(after - before, 2 * 50'000 * sizeof(TimelinePoint));
}

TEST(Tracker, WorksWithoutAPool) {
  Tracker tracker(TrackingConfig::detailed());
  EventRing* ring = tracker.open_ring();
  tracker.record_allocation(*ring, 64, 10);
  tracker.poll();
  const LeakReport report = tracker.find_leaks(milliseconds(0));
  EXPECT_EQ(report.blocks, 1u);
  EXPECT_FALSE(report.unseen_blocks);
  EXPECT_EQ(tracker.report().map.size(), 0u);
  tracker.close_ring(ring);
}

TEST(Tracker, StartsAndStopsAsOftenAsAsked) {
  Tracker tracker(TrackingConfig::detailed());
  tracker.stop();
  for (int i = 0; i < 3; ++i) {
    tracker.start();
    tracker.start();
    tracker.stop();
    tracker.stop();
  }
  tracker.start();  // joined by the destructor
}

TEST(Tracker, ItsThreadSurvivesWhatASourceThrows) {
  std::atomic<int> calls{0};
  Tracker tracker(TrackingConfig::detailed(), nullptr, {{}, [&]() -> os::MemoryPressure {
                                                          ++calls;
                                                          throw std::runtime_error("no such file");
                                                        }});
  tracker.start();
  while (calls == 0) std::this_thread::yield();
  tracker.stop();
  EXPECT_EQ(tracker.detailed_metrics().events.failed_rounds, static_cast<std::uint64_t>(calls));
}

TEST(Tracker, StartsAndStopsFromManyThreads) {
  Tracker tracker(TrackingConfig::detailed());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        tracker.start();
        tracker.stop();
      }
    });
  for (auto& t : threads) t.join();
}

/// Threads allocate and free for each other while the tracker's thread and readers run. No ring
/// gets more events than it has room for, so in the end the tracker knows what the pool knows.
TEST(Tracker, ThreadsThatHandBlocksToEachOther) {
  FakePool pool;
  TrackingConfig config = TrackingConfig::debug();
  config.max_overhead_percent = 50;
  Tracker tracker(config, &pool);
  tracker.start();
  constexpr int kThreads = 3, kSteps = 4000;
  std::atomic<std::uint64_t> slots[16]{};
  std::atomic<bool> reading{true};
  std::thread reader([&] {
    while (reading) {
      tracker.report();
      tracker.detailed_metrics();
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      const TagScope tag("tracker_test.thread" + std::to_string(t));
      EventRing* ring = tracker.open_ring();
      for (unsigned i = 0; i < kSteps; ++i) {
        const std::uint64_t mine = pool.allocate(64 + i % 100);
        tracker.record_allocation(*ring, mine, 64 + i % 100);
        const std::uint64_t theirs = slots[(i * 7 + t) % 16].exchange(mine);
        if (theirs != 0) tracker.record_free(*ring, theirs, pool.free(theirs));
        if (i % 1000 == 999) {
          tracker.close_ring(ring);
          ring = tracker.open_ring();
        }
      }
      tracker.close_ring(ring);
    });
  for (auto& t : threads) t.join();
  reading = false;
  reader.join();
  tracker.stop();
  const DetailedMemoryMetrics m = tracker.detailed_metrics();
  const LeakReport live = tracker.find_leaks(milliseconds(0));
  EXPECT_EQ(m.events.lost, 0u);
  EXPECT_EQ(m.events.unmatched, 0u);
  EXPECT_EQ(m.events.reconciled, 0u);
  EXPECT_EQ(live.blocks, pool.metrics().live_blocks);
  EXPECT_EQ(live.bytes, pool.metrics().live_bytes);
  EXPECT_EQ(m.blocks.allocations, std::uint64_t{kThreads} * kSteps);
}

}  // namespace
}  // namespace bitnet
