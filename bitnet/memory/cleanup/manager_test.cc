// SPDX-License-Identifier: MIT OR Apache-2.0
// Order, retries, deadlines and records of runs; the clock is the test's, no thread but where
// named.
#include "bitnet/memory/cleanup/manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <thread>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/memory/cleanup/scripted_target.h"

namespace bitnet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using enum CleanupKind;

struct Manager : testing::Test {
  CleanupConfig config;
  ScriptedTarget target;
  CleanupClock::time_point now{hours(1)};
  std::unique_ptr<CleanupManager> manager;

  Manager() {
    // All five have something to do.
    target.devices = {{DeviceKind::cuda, 0}};
    target.figures = {.live_bytes = 10,
                      .committed_bytes = 100,
                      .reclaimable_bytes = 90,
                      .fragmentation = 0.4,
                      .idle = milliseconds(200)};
    config.safety.validate = false;
  }
  CleanupManager& make() {
    manager = std::make_unique<CleanupManager>(config, target, [this] { return now; });
    return *manager;
  }
  std::vector<CleanupKind> kinds() const {
    std::vector<CleanupKind> all;
    for (const CleanupReport& r : manager->metrics().history()) all.push_back(r.kind);
    return all;
  }
};

TEST_F(Manager, WhatIsDueRunsByPriority) {
  make().on_pressure(0.8);
  EXPECT_EQ(manager->run_due(), 5);
  EXPECT_THAT(kinds(), ElementsAre(pressure, periodic, idle, device, generational));
  config.scheduler.generational_priority = 220;
  config.scheduler.periodic_priority = 10;
  make().on_pressure(0.8);
  manager->run_due();
  EXPECT_THAT(kinds(), ElementsAre(generational, pressure, idle, device, periodic));
  make().on_pressure(0.95);
  manager->run_due();
  EXPECT_EQ(kinds().front(), pressure) << "an emergency goes first";
  config.features.emergency = false;
  make().on_pressure(0.95);
  manager->run_due();
  EXPECT_EQ(kinds().front(), generational);
}

TEST_F(Manager, AFeatureThatIsOffNeverRunsByItself) {
  using F = CleanupConfig::Features;
  const std::pair<CleanupKind, bool F::*> features[] = {{idle, &F::idle},
                                                        {pressure, &F::pressure},
                                                        {periodic, &F::periodic},
                                                        {device, &F::device},
                                                        {generational, &F::generational}};
  for (const auto& [kind, feature] : features) {
    config.features.*feature = false;
    make().on_pressure(0.8);
    EXPECT_EQ(manager->run_due(), 4);
    EXPECT_THAT(kinds(), testing::Not(testing::Contains(kind)));
    EXPECT_EQ(manager->run(kind).error, "") << "by hand it does";
    EXPECT_TRUE(manager->metrics().history().back().manual);
    config.features.*feature = true;
  }
}

TEST_F(Manager, AStrategyThatThrowsIsRecordedRetriedAndKeepsNoOtherFromItsWork) {
  config.safety.max_retries = 2;
  config.features.periodic = config.features.device = config.features.generational = false;
  target.on_trim = []() -> CleanupResult { throw std::runtime_error("the pool is on fire"); };
  make().on_pressure(0.8);
  EXPECT_EQ(manager->run_due(), 2);
  const std::vector<CleanupReport> history = manager->metrics().history();
  EXPECT_EQ(history.at(0).error, "the pool is on fire");
  EXPECT_EQ(history.at(1).kind, idle);
  // Neither is due again, by its interval: what runs are the retries.
  manager->on_pressure(0.0);
  EXPECT_EQ(manager->run_due(), 2) << "the pressure of the last look is no longer seen";
  EXPECT_EQ(manager->run_due(), 2);
  EXPECT_EQ(manager->run_due(), 0);
  EXPECT_EQ(manager->metrics().totals().failures, 6u);
  now += config.idle_cleanup_interval;
  EXPECT_EQ(manager->run_due(), 1);
  target.on_trim = [] { return CleanupResult{}; };
  EXPECT_EQ(manager->run_due(), 1) << "one retry, which succeeds";
  EXPECT_EQ(manager->run_due(), 0);
  target.on_trim = []() -> CleanupResult { throw 3; };
  EXPECT_NE(manager->run(idle).error, "");
  EXPECT_NE(manager->run_device({DeviceKind::cuda, 0}).error, "");
}

TEST_F(Manager, PressureBetweenTwoLooksIsNotLost) {
  CleanupManager& m = make();
  m.on_pressure(0.99);
  m.on_pressure(0.1);
  m.run_due();
  EXPECT_EQ(kinds().front(), pressure);
  EXPECT_EQ(target.compressions.size(), 2u) << "as strong as its peak, and the generational one";
  EXPECT_EQ(m.metrics().totals(pressure).runs, 1u);
  m.run_due();
  EXPECT_EQ(m.metrics().totals(pressure).runs, 1u);
  m.on_pressure(NAN);
  m.on_pressure(-3.0);
  m.run_due();
  EXPECT_EQ(m.metrics().totals(pressure).runs, 1u);
}

TEST_F(Manager, EachRequestEndsInTimeButForAnEmergency) {
  config.max_cleanup_time = milliseconds(70);
  config.thresholds.idle.max_duration = milliseconds(20);
  make();
  const auto expect_limit = [&](milliseconds limit, auto&& run) {
    target.trims.clear();
    const auto before = CleanupClock::now();
    run();
    const auto after = CleanupClock::now();
    ASSERT_FALSE(target.trims.empty());
    for (const TrimRequest& r : target.trims) {
      EXPECT_GE(r.deadline, before + limit);
      EXPECT_LE(r.deadline, after + limit);
    }
  };
  expect_limit(milliseconds(70), [&] { manager->run(periodic); });
  expect_limit(milliseconds(70), [&] { manager->run(pressure); });
  expect_limit(milliseconds(70), [&] { manager->run_device({DeviceKind::cuda, 0}); });
  EXPECT_EQ(target.trims.at(0).device, (Device{DeviceKind::cuda, 0}));
  EXPECT_EQ(target.trims.at(0).min_age, milliseconds(0));
  expect_limit(milliseconds(20), [&] { manager->run(idle); });
  manager->on_pressure(0.95);
  target.trims.clear();
  manager->run(pressure);
  EXPECT_EQ(target.trims.at(0).deadline, CleanupClock::time_point::max());
}

TEST_F(Manager, RunTakesTheDefaultOrTheSmartChoice) {
  EXPECT_EQ(make().run().kind, idle);
  config.policy.default_strategy = generational;
  EXPECT_EQ(make().run().kind, generational);
  config.features.smart = true;
  EXPECT_EQ(make().run().kind, idle);
  target.figures.idle = milliseconds(0);
  EXPECT_EQ(make().run().kind, generational);
  target.figures.fragmentation = 0.5;
  EXPECT_EQ(make().run().kind, periodic);
  manager->on_pressure(0.7);
  EXPECT_EQ(manager->run().kind, pressure);
  const CleanupKind both[] = {device, idle};
  const std::vector<CleanupReport> reports = manager->run(both);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].kind, device);
  EXPECT_EQ(reports[1].kind, idle);
}

TEST_F(Manager, ReportsAndTotalsSayWhatWasDone) {
  target.on_trim = [&] {
    target.figures.committed_bytes = 40;
    target.figures.fragmentation = 0.1;
    return CleanupResult{.bytes_returned = 60};
  };
  target.on_compact = [](const CompactRequest&) {
    return CleanupResult{.blocks_moved = 3, .bytes_moved = 9, .moves_undone = 1};
  };
  const CleanupReport r = make().run(pressure);
  EXPECT_EQ(r.committed_before, 100u);
  EXPECT_EQ(r.committed_after, 40u);
  EXPECT_EQ(r.fragmentation_before, 0.4);
  EXPECT_EQ(r.fragmentation_after, 0.1);
  EXPECT_EQ(r.result.bytes_moved, 9u);
  EXPECT_GT(r.time.count(), 0);
  manager->run(generational);
  const CleanupTotals all = manager->metrics().totals();
  EXPECT_EQ(all.runs, 2u);
  EXPECT_EQ(all.bytes_returned, 120u);
  EXPECT_EQ(all.blocks_moved, 3u);
  EXPECT_EQ(all.moves_undone, 1u);
  EXPECT_GE(all.time, all.longest);
  EXPECT_EQ(manager->metrics().totals(pressure).bytes_returned, 60u);
  for (std::size_t i = 0; i < CleanupMetrics::kMaxHistory + 10; ++i) manager->run(idle);
  EXPECT_EQ(manager->metrics().history().size(), CleanupMetrics::kMaxHistory);
  EXPECT_EQ(manager->metrics().totals().runs, CleanupMetrics::kMaxHistory + 12);
  config.features.metrics = false;
  make().run(idle);
  EXPECT_EQ(manager->metrics().totals().runs, 0u);
}

TEST_F(Manager, AnAuditWalksTheHeapAroundEveryRun) {
  make().run(generational);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compress"));
  target.calls.clear();
  config.safety.audit = true;
  make().run(generational);
  EXPECT_THAT(target.calls, ElementsAre("validate", "trim", "compress", "validate"));
}

TEST_F(Manager, LooksBecomeRarerWhileNothingComesBack) {
  CleanupManager& m = make();
  EXPECT_EQ(m.current_interval(), milliseconds(500));
  for (const int expected : {1000, 2000, 4000, 4000}) {
    m.run_due();
    EXPECT_EQ(m.current_interval(), milliseconds(expected));
  }
  m.on_pressure(0.7);
  m.run_due();
  EXPECT_EQ(m.current_interval(), milliseconds(500));
  config.scheduler.adaptive = false;
  config.scheduler.interval = milliseconds(300);
  make().run_due();
  EXPECT_EQ(manager->current_interval(), milliseconds(300));
}

TEST_F(Manager, CancelEndsTheRunInProgressAlone) {
  target.on_trim = [&] {
    manager->cancel();
    return CleanupResult{};
  };
  EXPECT_FALSE(make().run(pressure).result.complete);
  EXPECT_TRUE(target.compactions.empty());
  target.on_trim = [] { return CleanupResult{}; };
  EXPECT_TRUE(manager->run(pressure).result.complete);
  EXPECT_EQ(target.compactions.size(), 1u);
}

TEST_F(Manager, WithoutAThreadCleanupByHandStillWorks) {
  os::fail_call(os::Call::start_thread, 1);
  EXPECT_THROW(make().start(), Error);
  EXPECT_FALSE(manager->running());
  EXPECT_EQ(manager->run(idle).error, "");
  config.scheduler.enabled = false;
  make().start();
  EXPECT_FALSE(manager->running());
  config.scheduler.interval = milliseconds(0);
  EXPECT_THROW(make(), Error);
}

TEST_F(Manager, TheThreadAnswersPressureAndStopEndsAnEndlessRun) {
  config.features = {.idle = false, .periodic = false, .device = false, .generational = false};
  config.scheduler.interval = config.scheduler.device_interval = hours(24);
  config.policy.max_blocks = UINT64_MAX;
  std::atomic<bool> began{false};
  target.on_compact = [&](const CompactRequest&) {
    began = true;
    return CleanupResult{.blocks_moved = 1, .complete = false};  // there is always more
  };
  make().start();
  manager->on_pressure(1.0);  // an emergency: no limit of time
  while (!began) std::this_thread::yield();
  manager->stop();
  EXPECT_FALSE(manager->running());
  const std::vector<CleanupReport> history = manager->metrics().history();
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].kind, pressure);
  EXPECT_FALSE(history[0].manual);
  EXPECT_FALSE(history[0].result.complete);
}

}  // namespace
}  // namespace bitnet
