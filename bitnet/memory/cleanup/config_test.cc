// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;

TEST(CleanupConfig, PresetsAreValidAndDifferAsTheirNamesSay) {
  const CleanupConfig standard, minimal = CleanupConfig::minimal(),
                                aggressive = CleanupConfig::aggressive(),
                                debug = CleanupConfig::debug();
  for (const CleanupConfig& c : {standard, minimal, aggressive, debug})
    EXPECT_NO_THROW(c.validate());
  EXPECT_EQ(standard.idle_cleanup_interval, milliseconds(30'000));
  EXPECT_EQ(standard.pressure_cleanup_threshold, 0.9);
  EXPECT_EQ(standard.max_cleanup_time, milliseconds(100));
  EXPECT_EQ(standard.policy.max_blocks, 1000u);
  EXPECT_EQ(minimal.max_cleanup_time, milliseconds(10));
  EXPECT_EQ(minimal.policy.max_blocks, 100u);
  EXPECT_TRUE(minimal.features.pressure && minimal.features.emergency);
  EXPECT_FALSE(minimal.features.periodic || minimal.features.device ||
               minimal.features.generational || minimal.features.metrics);
  EXPECT_EQ(minimal.safety.max_retries, 1u);
  EXPECT_EQ(aggressive.max_cleanup_time, milliseconds(500));
  EXPECT_EQ(aggressive.policy.default_strategy, CleanupKind::pressure);
  EXPECT_EQ(aggressive.thresholds.pressure.light, 0.6);
  EXPECT_EQ(aggressive.thresholds.idle.aggressive, milliseconds(2000));
  EXPECT_TRUE(aggressive.features.smart);
  EXPECT_TRUE(debug.safety.audit);
  EXPECT_EQ(debug.safety.max_retries, 5u);
}

// What a bad value is answered with; empty: it is allowed.
std::string error_of(auto&& change) {
  CleanupConfig config;
  change(config);
  try {
    config.validate();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::invalid_argument);
    return e.what();
  }
  return "";
}

TEST(CleanupConfig, EachBadFieldIsNamedWithItsValueAndRange) {
  const auto expect = [](const char* field, auto&& change) {
    const std::string error = error_of(change);
    EXPECT_NE(error.find(field), std::string::npos) << field << ": " << error;
  };
  using C = CleanupConfig;
  expect("idle_cleanup_interval", [](C& c) { c.idle_cleanup_interval = milliseconds(0); });
  expect("pressure_cleanup_threshold", [](C& c) { c.pressure_cleanup_threshold = 1.5; });
  expect("pressure_cleanup_threshold", [](C& c) { c.pressure_cleanup_threshold = NAN; });
  expect("max_cleanup_time", [](C& c) { c.max_cleanup_time = milliseconds(0); });
  expect("policy.default_strategy",
         [](C& c) { c.policy.default_strategy = static_cast<CleanupKind>(5); });
  expect("policy.max_blocks", [](C& c) { c.policy.max_blocks = 0; });
  expect("policy.batch_blocks", [](C& c) { c.policy.batch_blocks = 0; });
  expect("thresholds.pressure", [](C& c) { c.thresholds.pressure.light = 0.9; });
  expect("thresholds.pressure", [](C& c) { c.thresholds.pressure.emergency = 1.1; });
  expect("thresholds.pressure", [](C& c) { c.thresholds.pressure.aggressive = NAN; });
  expect("min_interval", [](C& c) { c.thresholds.pressure.min_interval = milliseconds(-1); });
  expect("thresholds.idle.min", [](C& c) { c.thresholds.idle.min = milliseconds(-1); });
  expect("thresholds.idle.light", [](C& c) { c.thresholds.idle.light = milliseconds(99); });
  expect("thresholds.idle.aggressive",
         [](C& c) { c.thresholds.idle.aggressive = milliseconds(999); });
  expect("thresholds.idle.max_duration",
         [](C& c) { c.thresholds.idle.max_duration = milliseconds(0); });
  expect("thresholds.age.min_age", [](C& c) { c.thresholds.age.min_age = milliseconds(-1); });
  expect("thresholds.age.young", [](C& c) { c.thresholds.age.young = milliseconds(99); });
  expect("thresholds.age.old", [](C& c) { c.thresholds.age.old = milliseconds(999); });
  expect("thresholds.age.ancient", [](C& c) { c.thresholds.age.ancient = milliseconds(9999); });
  expect("thresholds.size.utilization", [](C& c) { c.thresholds.size.utilization = -0.1; });
  expect("thresholds.fragmentation", [](C& c) { c.thresholds.fragmentation.compact = 0.9; });
  expect("scheduler.interval", [](C& c) { c.scheduler.interval = milliseconds(0); });
  expect("scheduler.device_interval", [](C& c) { c.scheduler.device_interval = milliseconds(0); });
  EXPECT_EQ(error_of([](C& c) { c.max_cleanup_time = milliseconds(0); }),
            "CleanupConfig: max_cleanup_time is 0 ms, allowed are 1 to 86400000 ms");
}

}  // namespace
}  // namespace bitnet
