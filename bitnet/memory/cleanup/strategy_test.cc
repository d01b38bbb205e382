// SPDX-License-Identifier: MIT OR Apache-2.0
// What each strategy asks of a pool, and which fields of the config decide that.
#include "bitnet/memory/cleanup/strategy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bitnet/memory/cleanup/scripted_target.h"

namespace bitnet {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;

struct Strategies : testing::Test {
  CleanupConfig config;
  ScriptedTarget target;
  CleanupSituation s;
  std::atomic<bool> cancelled{false};
  CleanupClock::time_point deadline = CleanupClock::now() + hours(1);

  Strategies() {
    config.safety.validate = false;
    s.now = CleanupClock::time_point(hours(1));
    s.figures = {.live_bytes = 90, .committed_bytes = 100, .reclaimable_bytes = 10};
  }
  bool due(const std::unique_ptr<CleanupStrategy>& strategy) { return strategy->due(config, s); }
  CleanupResult run(const std::unique_ptr<CleanupStrategy>& strategy) {
    target.calls.clear();
    target.trims.clear();
    CleanupRun run(config, target, deadline, cancelled);
    strategy->run(config, s, run);
    return run.result();
  }
};

TEST_F(Strategies, IdleWaitsForQuietAndTakesMoreTheLongerItLasts) {
  const auto idle = make_idle_strategy();
  s.figures.idle = milliseconds(99);
  EXPECT_FALSE(due(idle));
  s.figures.idle = milliseconds(100);
  EXPECT_TRUE(due(idle));
  config.thresholds.idle.min = milliseconds(101);
  EXPECT_FALSE(due(idle));
  s.figures.idle = milliseconds(101);
  s.last_run = s.now - milliseconds(29'999);
  EXPECT_FALSE(due(idle));
  s.last_run = s.now - milliseconds(30'000);
  EXPECT_TRUE(due(idle));
  config.idle_cleanup_interval = milliseconds(30'001);
  EXPECT_FALSE(due(idle));
  s.last_run.reset();
  s.figures.reclaimable_bytes = 0;
  EXPECT_FALSE(due(idle)) << "nothing to return";

  run(idle);
  EXPECT_EQ(target.trims.at(0).min_age, config.thresholds.age.young);
  s.figures.idle = config.thresholds.idle.light;
  run(idle);
  EXPECT_EQ(target.trims.at(0).min_age, config.thresholds.age.min_age);
  s.figures.idle = config.thresholds.idle.aggressive;
  s.figures.fragmentation = 0.29;
  run(idle);
  EXPECT_EQ(target.trims.at(0).min_age, milliseconds(0));
  EXPECT_THAT(target.calls, ElementsAre("trim"));
  s.figures.fragmentation = 0.3;
  run(idle);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compact"));
  config.thresholds.fragmentation.defragment = 0.31;
  run(idle);
  EXPECT_THAT(target.calls, ElementsAre("trim"));
}

TEST_F(Strategies, PressureHasThreeStrengths) {
  const auto pressure = make_pressure_strategy();
  s.pressure = 0.69;
  EXPECT_FALSE(due(pressure));
  s.pressure = 0.7;
  EXPECT_TRUE(due(pressure));
  run(pressure);
  EXPECT_THAT(target.calls, ElementsAre("trim"));
  EXPECT_EQ(target.trims.at(0).min_age, config.thresholds.age.young);
  s.last_run = s.now - milliseconds(999);
  EXPECT_FALSE(due(pressure)) << "min_interval";
  s.pressure = 0.9;
  EXPECT_TRUE(due(pressure)) << "the threshold is above min_interval";
  config.pressure_cleanup_threshold = 0.91;
  EXPECT_FALSE(due(pressure));
  s.last_run = s.now - config.thresholds.pressure.min_interval;
  EXPECT_TRUE(due(pressure));
  s.pressure = 0.85;
  run(pressure);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compact", "compress"));
  EXPECT_EQ(target.trims.at(0).min_age, milliseconds(0));
  EXPECT_EQ(target.compressions.at(0).min_age, config.thresholds.age.old);
  s.pressure = 0.95;
  run(pressure);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compact", "compress"));
  EXPECT_EQ(target.compressions.at(1).min_age, milliseconds(0)) << "whatever its age";
  config.features.emergency = false;
  run(pressure);
  EXPECT_EQ(target.compressions.at(2).min_age, config.thresholds.age.old);
  config.features.compression = false;
  run(pressure);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compact"));
  s.pressure = 0.5;
  config.pressure_cleanup_threshold = 0.4;
  EXPECT_TRUE(due(pressure)) << "a threshold below light counts too";
}

TEST_F(Strategies, PeriodicFollowsUseFragmentationAndTheTotal) {
  const auto periodic = make_periodic_strategy();
  EXPECT_FALSE(due(periodic)) << "used to 90 %";
  s.figures.live_bytes = 79;
  EXPECT_TRUE(due(periodic)) << "used to 79 %";
  config.thresholds.size.utilization = 0.79;
  EXPECT_FALSE(due(periodic));
  s.figures.fragmentation = 0.5;
  EXPECT_TRUE(due(periodic));
  run(periodic);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compact"));
  EXPECT_EQ(target.trims.at(0).min_age, config.thresholds.age.young);
  config.thresholds.fragmentation.compact = 0.51;
  EXPECT_FALSE(due(periodic));
  config.thresholds.size.total_bytes = 10;
  EXPECT_TRUE(due(periodic));
  run(periodic);
  EXPECT_THAT(target.calls, ElementsAre("trim"));
  EXPECT_EQ(target.trims.at(0).min_age, milliseconds(0));
}

TEST_F(Strategies, DeviceTrimsEachDeviceLargeSegmentsFirst) {
  const auto device = make_device_strategy();
  EXPECT_FALSE(due(device)) << "there is none";
  const Device a{DeviceKind::cuda, 0}, b{DeviceKind::cuda, 1};
  s.devices = {a, b};
  EXPECT_TRUE(due(device));
  s.last_run = s.now - config.scheduler.device_interval + milliseconds(1);
  EXPECT_FALSE(due(device));
  s.last_run = s.now - config.scheduler.device_interval;
  EXPECT_TRUE(due(device));
  run(device);
  ASSERT_EQ(target.trims.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(target.trims[i].device, i < 2 ? a : b);
    EXPECT_EQ(target.trims[i].min_block_bytes, i % 2 == 0 ? config.thresholds.size.large_bytes
                                                          : config.thresholds.size.min_block_bytes);
    EXPECT_EQ(target.trims[i].min_age,
              i % 2 == 0 ? config.thresholds.age.young : config.thresholds.age.old);
  }
}

TEST_F(Strategies, GenerationalReturnsTheOldAndCompressesTheAncient) {
  const auto generational = make_generational_strategy();
  EXPECT_TRUE(due(generational));
  s.last_run = s.now - config.thresholds.age.young + milliseconds(1);
  EXPECT_FALSE(due(generational));
  run(generational);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compress"));
  EXPECT_EQ(target.trims.at(0).min_age, config.thresholds.age.old);
  EXPECT_EQ(target.compressions.at(0).min_age, config.thresholds.age.ancient);
  s.last_run.reset();
  s.figures.reclaimable_bytes = 0;
  EXPECT_TRUE(due(generational)) << "live blocks may be ancient";
  config.features.compression = false;
  EXPECT_FALSE(due(generational));
  run(generational);
  EXPECT_THAT(target.calls, ElementsAre("trim"));
}

TEST_F(Strategies, RequestsCarryDeadlineSizesAndChecks) {
  const auto pressure = make_pressure_strategy();
  s.pressure = 1.0;
  config.safety.validate = true;
  config.safety.rollback = false;
  run(pressure);
  EXPECT_THAT(target.calls, ElementsAre("trim", "validate", "compact", "validate", "compress"));
  EXPECT_EQ(target.trims.at(0).deadline, deadline);
  EXPECT_EQ(target.trims.at(0).min_block_bytes, config.thresholds.size.min_block_bytes);
  EXPECT_EQ(target.compactions.at(0).deadline, deadline);
  EXPECT_FALSE(target.compactions.at(0).validate);
  EXPECT_EQ(target.compressions.at(0).deadline, deadline);
  config.safety.rollback = true;
  run(pressure);
  EXPECT_TRUE(target.compactions.at(1).validate);
  config.enable_compaction = false;
  run(pressure);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compress"));
}

TEST_F(Strategies, BlocksMoveInBatchesUpToTheMost) {
  const auto pressure = make_pressure_strategy();
  s.pressure = 0.85;
  std::uint64_t there = 250;
  target.on_compact = [&](const CompactRequest& request) {
    const std::uint64_t moved = std::min(there, request.max_blocks);
    there -= moved;
    return CleanupResult{.blocks_moved = moved, .moves_undone = 1, .complete = there == 0};
  };
  CleanupResult result = run(pressure);
  EXPECT_EQ(target.compactions.size(), 3u);
  EXPECT_EQ(result.blocks_moved, 250u);
  EXPECT_EQ(result.moves_undone, 3u);
  EXPECT_TRUE(result.complete);

  there = 5000;
  config.policy.max_blocks = 130;
  target.compactions.clear();
  result = run(pressure);
  ASSERT_EQ(target.compactions.size(), 2u);
  EXPECT_EQ(target.compactions[0].max_blocks, 100u);
  EXPECT_EQ(target.compactions[1].max_blocks, 30u);
  EXPECT_EQ(result.blocks_moved, 130u);
  EXPECT_FALSE(result.complete);

  config.policy.incremental = false;
  target.compactions.clear();
  run(pressure);
  ASSERT_EQ(target.compactions.size(), 1u);
  EXPECT_EQ(target.compactions[0].max_blocks, 130u);

  config.policy.incremental = true;
  deadline = CleanupClock::now();
  target.compactions.clear();
  EXPECT_FALSE(run(pressure).complete);
  EXPECT_EQ(target.compactions.size(), 1u) << "no batch begins behind the deadline";
}

TEST_F(Strategies, AnIncompleteTrimIsNotForgottenInACompleteCompaction) {
  s.pressure = 0.85;
  target.on_trim = [] { return CleanupResult{.bytes_returned = 5, .complete = false}; };
  target.on_compact = [](const CompactRequest&) { return CleanupResult{.bytes_returned = 7}; };
  const CleanupResult result = run(make_pressure_strategy());
  EXPECT_EQ(result.bytes_returned, 12u);
  EXPECT_FALSE(result.complete);
  target.on_trim = [&] { return CleanupResult{.complete = target.trims.size() == 2}; };
  s.devices = {{DeviceKind::cuda, 0}};
  EXPECT_FALSE(run(make_device_strategy()).complete);
}

TEST_F(Strategies, NoStepBeginsOnceCancelled) {
  s.pressure = 1.0;
  target.on_compact = [&](const CompactRequest&) {
    cancelled = true;
    return CleanupResult{.blocks_moved = 1, .complete = false};
  };
  EXPECT_FALSE(run(make_pressure_strategy()).complete);
  EXPECT_THAT(target.calls, ElementsAre("trim", "compact"));
  run(make_pressure_strategy());
  EXPECT_THAT(target.calls, ElementsAre());
}

}  // namespace
}  // namespace bitnet
