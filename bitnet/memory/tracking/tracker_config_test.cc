// SPDX-License-Identifier: MIT OR Apache-2.0
// Every field of the config changes what the tracker does.
#include <gtest/gtest.h>

#include "bitnet/base/error.h"
#include "bitnet/memory/tracking/fake_pool.h"
#include "bitnet/memory/tracking/report.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Bench;

TrackingConfig changed(auto change) {
  TrackingConfig config = TrackingConfig::detailed();
  change(config);
  return config;
}

TEST(TrackerConfig, IsValidated) {
  EXPECT_THROW(Tracker(changed([](auto& c) { c.sampling_rate = 2; })), Error);
}

TEST(TrackerConfig, LevelSaysWhetherEventsOrCountersMakeTheTimeline) {
  for (const bool events : {true, false}) {
    Bench b(changed(
        [&](auto& c) { c.level = events ? TrackingLevel::detailed : TrackingLevel::standard; }));
    b.pool.allocate(5000);  // counted, no event
    const auto sleep = b.after(seconds(10));
    EXPECT_EQ(sleep, events ? milliseconds(10) : milliseconds(100));
    ASSERT_EQ(b.tracker.report().timeline.size(), 1u);
    EXPECT_EQ(b.tracker.report().timeline[0].live_bytes, events ? 0u : 5000u);
  }
}

TEST(TrackerConfig, LevelChangesAtRunTime) {
  Bench b(changed([](auto& c) { c.level = TrackingLevel::standard; }));
  EXPECT_EQ(b.tracker.detailed_metrics().level, TrackingLevel::standard);
  b.tracker.set_level(TrackingLevel::detailed);
  EXPECT_EQ(b.tracker.level(), TrackingLevel::detailed);
  EXPECT_EQ(b.after(milliseconds(1)), milliseconds(10));
}

/// Frees at a lower level leave no event, so nothing from before is known to be live.
TEST(TrackerConfig, ComingBackToDetailedBeginsAnew) {
  Bench b;
  b.pool.knows_live = false;
  const std::uint64_t freed = b.allocate(100);
  b.after(milliseconds(1));
  b.tracker.set_level(TrackingLevel::basic);
  b.pool.free(freed);
  b.after(milliseconds(1));
  EXPECT_EQ(b.tracker.find_leaks(milliseconds(0)).blocks, 0u);
  b.tracker.set_level(TrackingLevel::detailed);
  b.after(milliseconds(1));
  b.allocate(7);
  b.tracker.set_level(TrackingLevel::detailed);  // no change
  b.after(milliseconds(1));
  EXPECT_EQ(b.tracker.detailed_metrics().blocks.live_bytes, 7u);
}

TEST(TrackerConfig, PressureDetection) {
  for (const bool on : {true, false}) {
    Bench b(changed([&](auto& c) { c.enable_pressure_detection = on; }));
    int told = 0;
    const auto registration = b.tracker.register_pressure_callback([&](PressureLevel) { ++told; });
    b.use_machine(99);
    b.after(seconds(1));
    EXPECT_EQ(told, on ? 1 : 0);
    EXPECT_EQ(b.tracker.pressure_level(), on ? PressureLevel::critical : PressureLevel::none);
  }
}

TEST(TrackerConfig, Timeline) {
  for (const bool on : {true, false}) {
    Bench b(changed([&](auto& c) { c.enable_timeline = on; }));
    b.allocate(100);
    b.after(seconds(60));
    EXPECT_EQ(b.tracker.report().timeline.empty(), !on);
  }
}

TEST(TrackerConfig, Patterns) {
  for (const bool on : {true, false}) {
    Bench b(changed([&](auto& c) { c.enable_patterns = on; }));
    for (int i = 0; i < 500; ++i) b.allocate(4096);
    b.after(milliseconds(1));
    EXPECT_EQ(b.tracker.detailed_metrics().patterns.size(), on ? 1u : 0u);
  }
}

TEST(TrackerConfig, LeakDetection) {
  for (const bool on : {true, false}) {
    Bench b(changed([&](auto& c) { c.enable_leak_detection = on; }));
    b.allocate(100);
    b.after(seconds(1));
    b.after(seconds(1000));
    EXPECT_EQ(b.tracker.detailed_metrics().leaks.blocks, on ? 1u : 0u);
    EXPECT_EQ(b.tracker.report().leaks.blocks, on ? 1u : 0u);
  }
}

TEST(TrackerConfig, StackTraces) {
  for (const bool on : {true, false}) {
    Bench b(changed([&](auto& c) { c.enable_stack_traces = on; }));
    b.after(milliseconds(50));
    EXPECT_EQ(b.tracker.try_capture_site() != 0, on);
  }
}

TEST(TrackerConfig, MaxTimelineEntries) {
  for (const std::size_t most : {10u, 20u}) {
    Bench b(changed([&](auto& c) { c.max_timeline_entries = most; }));
    for (int i = 0; i < 20; ++i) {
      b.allocate(100);
      b.after(milliseconds(1));
    }
    const TrackingReport report = b.tracker.report();
    EXPECT_EQ(report.timeline_resolution_ms == 1, most == 20);
    EXPECT_LE(report.timeline.size(), most);
    EXPECT_EQ(report.timeline.back().live_bytes, 2000u);
  }
}

TEST(TrackerConfig, TimelineRetention) {
  for (const int ms : {5, 1000}) {
    Bench b(changed([&](auto& c) { c.timeline_retention = milliseconds(ms); }));
    for (int i = 0; i < 20; ++i) {
      b.allocate(100);
      b.after(milliseconds(1));
    }
    EXPECT_EQ(b.tracker.report().timeline.size(), ms == 5 ? 6u : 20u);
  }
}

/// Whether an address is sampled is the same at its allocation and its free: 1000 blocks, 500
/// freed, a tenth sampled, leave about 50, and estimates near the truth.
TEST(TrackerConfig, SamplingRateTakesAllocationAndFreeTogether) {
  Bench b(changed([](auto& c) { c.sampling_rate = 0.1; }));
  std::vector<std::uint64_t> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(b.allocate(1000));
  for (std::size_t i = 0; i < 1000; i += 2) b.free(blocks[i]);
  b.after(milliseconds(1));
  const LeakReport live = b.tracker.find_leaks(milliseconds(0));
  EXPECT_GT(live.blocks, 25u);
  EXPECT_LT(live.blocks, 80u);
  for (const LeakCandidate& c : live.candidates) EXPECT_TRUE(b.pool.is_live(c.address));
  const DetailedMemoryMetrics m = b.tracker.detailed_metrics();
  EXPECT_EQ(m.sampling_rate, 0.1);
  EXPECT_EQ(m.events.unmatched, 0u);
  EXPECT_EQ(m.blocks.live_blocks, live.blocks * 10);
  EXPECT_EQ(b.tracker.report().timeline.back().live_bytes, live.blocks * 10'000);
  for (std::size_t i = 1; i < 1000; i += 2) b.free(blocks[i]);
  b.after(milliseconds(1));
  EXPECT_EQ(b.tracker.detailed_metrics().blocks.live_bytes, 0u);
}

TEST(TrackerConfig, PerformanceMetrics) {
  for (const bool on : {true, false}) {
    Bench b(changed([&](auto& c) { c.enable_performance_metrics = on; }));
    b.free(b.allocate(100));
    b.after(milliseconds(1));
    EXPECT_EQ(b.tracker.detailed_metrics().lifetimes.all.total, on ? 1u : 0u);
  }
}

TEST(TrackerConfig, StatsUpdateInterval) {
  for (const int s : {1, 4}) {
    Bench b(changed([&](auto& c) {
      c.stats_update_interval = seconds(s);
      c.enable_pressure_detection = false;
    }));
    for (int i = 0; i < 8; ++i) b.after(seconds(1));
    EXPECT_EQ(b.pool.metrics_calls(), 8 / s);
  }
}

TEST(TrackerConfig, LeakDetectionIntervalAndMinAge) {
  Bench b(changed([](auto& c) {
    c.leak_detection_interval = seconds(10);
    c.leak_min_age = seconds(15);
  }));
  b.allocate(100);
  const auto leaks_after = [&](int s) {
    b.after(seconds(s));
    return b.tracker.detailed_metrics().leaks;
  };
  EXPECT_EQ(leaks_after(9).time_ms, 0u);
  EXPECT_EQ(leaks_after(1).time_ms, 10'000u);
  EXPECT_EQ(leaks_after(9).time_ms, 10'000u);
  EXPECT_EQ(b.tracker.detailed_metrics().leaks.blocks, 0u);  // younger than 15 s
  EXPECT_EQ(leaks_after(1).blocks, 1u);
}

TEST(TrackerConfig, MaxOverheadLengthensTheSleep) {
  for (const double percent : {50.0, 1.0}) {
    Bench b(changed([&](auto& c) {
      c.max_overhead_percent = percent;
      c.enable_pressure_detection = false;
    }));
    b.tick_per_look = milliseconds(20);  // so a round of work takes 20 ms
    EXPECT_EQ(b.after(milliseconds(1)), percent == 50 ? milliseconds(20) : milliseconds(1980));
  }
}

TEST(TrackerConfig, PressureThresholdRatio) {
  for (const double ratio : {1.0, 0.5}) {
    Bench b(changed([&](auto& c) { c.pressure_threshold_ratio = ratio; }));
    b.pool.base.small.limit_bytes = 1000;
    b.pool.allocate(480);
    b.after(seconds(1));
    EXPECT_EQ(b.tracker.pressure_level(),
              ratio == 1.0 ? PressureLevel::none : PressureLevel::critical);
  }
}

TEST(TrackerConfig, PressureThresholdsAndCooldown) {
  for (const bool changes : {false, true}) {
    Bench b(changed([&](auto& c) {
      c.pressure_thresholds = {.low = 0.5, .medium = 0.6, .high = 0.7, .critical = 0.8};
      c.pressure_thresholds.hysteresis = changes ? 0.1 : 0.0;
      c.pressure_thresholds.notification_cooldown = seconds(changes ? 5 : 0);
    }));
    std::vector<PressureLevel> told;
    const auto registration =
        b.tracker.register_pressure_callback([&](PressureLevel l) { told.push_back(l); });
    for (const std::uint64_t used : {51u, 61u, 71u, 65u}) {
      b.use_machine(used);
      b.after(seconds(1));
    }
    using enum PressureLevel;
    EXPECT_EQ(told, changes ? std::vector{low} : (std::vector{low, medium, high, medium}));
    EXPECT_EQ(b.tracker.pressure_level(), changes ? high : medium);
    b.after(seconds(5));
    EXPECT_EQ(told, changes ? (std::vector{low, high}) : (std::vector{low, medium, high, medium}));
  }
}

}  // namespace
}  // namespace bitnet
