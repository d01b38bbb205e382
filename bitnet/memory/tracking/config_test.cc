// SPDX-License-Identifier: MIT OR Apache-2.0
// Presets, and what validate() refuses. What each field does: tracker_config_test.cc.
#include "bitnet/memory/tracking/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Preset {
  const char* name;
  TrackingConfig config;
  TrackingLevel level;
  bool pressure, timeline, patterns, leaks, stacks;
  std::size_t entries;
  int retention_s;
  double sampling;
  bool performance;
  int stats_s;
  double overhead;
};

TEST(TrackingConfig, PresetsHaveTheirValues) {
  using enum TrackingLevel;
  const Preset presets[] = {
      {"minimal", TrackingConfig::minimal(), basic, false, false, false, false, false, 0, 0, 0.1,
       false, 60, 1},
      {"standard", TrackingConfig::standard(), standard, true, true, false, true, false, 10'000,
       3600, 1.0, true, 30, 3},
      {"detailed", TrackingConfig::detailed(), detailed, true, true, true, true, false, 50'000,
       7200, 1.0, true, 10, 5},
      {"debug", TrackingConfig::debug(), detailed, true, true, true, true, true, 100'000, 14'400,
       1.0, true, 5, 10},
      {"production", TrackingConfig::production(), standard, true, false, false, true, false, 1'000,
       300, 0.01, true, 120, 1},
  };
  for (const Preset& p : presets) {
    SCOPED_TRACE(p.name);
    const TrackingConfig& c = p.config;
    EXPECT_NO_THROW(c.validate());
    EXPECT_EQ(c.level, p.level);
    EXPECT_EQ(c.enable_pressure_detection, p.pressure);
    EXPECT_EQ(c.enable_timeline, p.timeline);
    EXPECT_EQ(c.enable_patterns, p.patterns);
    EXPECT_EQ(c.enable_leak_detection, p.leaks);
    EXPECT_EQ(c.enable_stack_traces, p.stacks);
    EXPECT_EQ(c.max_timeline_entries, p.entries);
    EXPECT_EQ(c.timeline_retention, seconds(p.retention_s));
    EXPECT_EQ(c.sampling_rate, p.sampling);
    EXPECT_EQ(c.enable_performance_metrics, p.performance);
    EXPECT_EQ(c.stats_update_interval, seconds(p.stats_s));
    EXPECT_EQ(c.max_overhead_percent, p.overhead);
  }
}

TEST(PressureThresholds, PresetsHaveTheirValues) {
  const auto expect = [](const PressureThresholds& t, double low, double medium, double high,
                         double critical, int cooldown_s) {
    EXPECT_NO_THROW(t.validate());
    EXPECT_EQ(t.low, low);
    EXPECT_EQ(t.medium, medium);
    EXPECT_EQ(t.high, high);
    EXPECT_EQ(t.critical, critical);
    EXPECT_EQ(t.notification_cooldown, seconds(cooldown_s));
  };
  expect({}, 0.7, 0.8, 0.9, 0.95, 30);
  expect(PressureThresholds::production(), 0.6, 0.75, 0.85, 0.92, 60);
  expect(PressureThresholds::conservative(), 0.5, 0.65, 0.8, 0.9, 15);
  expect(PressureThresholds::aggressive(), 0.8, 0.9, 0.95, 0.98, 45);
  expect(TrackingConfig::production().pressure_thresholds, 0.6, 0.75, 0.85, 0.92, 60);
}

TEST(TrackingConfig, RefusalsNameFieldValueAndRange) {
  struct Case {
    std::function<void(TrackingConfig&)> change;
    const char* message;
  };
  const Case cases[] = {
      {[](auto& c) { c.level = static_cast<TrackingLevel>(9); },
       "level is 9; must be in none .. detailed"},
      {[](auto& c) { c.max_timeline_entries = 1; },
       "max_timeline_entries is 1; must be in [2, 1000000]"},
      {[](auto& c) { c.max_timeline_entries = 2'000'000; },
       "max_timeline_entries is 2000000; must be in [2, 1000000]"},
      {[](auto& c) { c.timeline_retention = seconds(0); },
       "timeline_retention is 0 ms; must be in [1, 31536000000] ms"},
      {[](auto& c) { c.sampling_rate = 0; }, "sampling_rate is 0; must be in (0, 1]"},
      {[](auto& c) { c.sampling_rate = NAN; }, "sampling_rate is nan; must be in (0, 1]"},
      {[](auto& c) { c.sampling_rate = 1.5; }, "sampling_rate is 1.5; must be in (0, 1]"},
      {[](auto& c) { c.stats_update_interval = milliseconds(0); },
       "stats_update_interval is 0 ms; must be in [1, 31536000000] ms"},
      {[](auto& c) { c.leak_detection_interval = milliseconds(-1); },
       "leak_detection_interval is -1 ms; must be in [1, 31536000000] ms"},
      {[](auto& c) { c.leak_min_age = milliseconds(-1); },
       "leak_min_age is -1 ms; must be in [0, 31536000000] ms"},
      {[](auto& c) { c.max_overhead_percent = 0; },
       "max_overhead_percent is 0; must be in [0.01, 50]"},
      {[](auto& c) { c.max_overhead_percent = 51; },
       "max_overhead_percent is 51; must be in [0.01, 50]"},
      {[](auto& c) { c.pressure_threshold_ratio = 0; },
       "pressure_threshold_ratio is 0; must be in (0, 1]"},
      {[](auto& c) { c.pressure_thresholds.low = 0; },
       "pressure_thresholds.low is 0; must be in (0, 1]"},
      {[](auto& c) { c.pressure_thresholds.medium = 0.7; },
       "pressure_thresholds.medium is 0.7; must be in (0.7, 1]"},
      {[](auto& c) { c.pressure_thresholds.high = 0.1; },
       "pressure_thresholds.high is 0.1; must be in (0.8, 1]"},
      {[](auto& c) { c.pressure_thresholds.critical = 1.01; },
       "pressure_thresholds.critical is 1.01; must be in (0.9, 1]"},
      {[](auto& c) { c.pressure_thresholds.hysteresis = 0.7; },
       "pressure_thresholds.hysteresis is 0.7; must be in [0, 0.7)"},
      {[](auto& c) { c.pressure_thresholds.notification_cooldown = seconds(301); },
       "pressure_thresholds.notification_cooldown is 301000 ms; must be in [0, 300000] ms"},
  };
  for (const Case& item : cases) {
    TrackingConfig config;
    item.change(config);
    try {
      config.validate();
      ADD_FAILURE() << "accepted: " << item.message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::invalid_argument);
      EXPECT_STREQ(error.what(), item.message);
    }
  }
}

TEST(TrackingConfig, ATimelineThatIsOffNeedsNoRoom) {
  TrackingConfig config;
  config.enable_timeline = false;
  config.max_timeline_entries = 0;
  config.timeline_retention = seconds(0);
  EXPECT_NO_THROW(config.validate());
}

}  // namespace
}  // namespace bitnet
