// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/stream_fetch.h"

#include <gtest/gtest.h>

namespace bitnet::cpu {
namespace {

constexpr std::size_t kLarge = FetchTrial::kLargeBytes;

// Readings with the second way are `ratio` times as fast.
StreamFetch found_by(FetchTrial& trial, double ratio, std::size_t bytes = kLarge) {
  for (int i = 0; i < FetchTrial::kWays * FetchTrial::kTurns; ++i) {
    EXPECT_FALSE(trial.found());
    const StreamFetch way = trial.next();
    EXPECT_EQ(way.second_cache, i % 2 == 0) << "ways take turns";
    trial.took(way, bytes, way.second_cache ? 1.0 : 1.0 / ratio);
  }
  return trial.next();
}

TEST(FetchTrialTest, TakesTheFasterWay) {
  FetchTrial first, second;
  EXPECT_TRUE(found_by(first, 0.9).second_cache);
  EXPECT_FALSE(found_by(second, 1.1).second_cache);
  EXPECT_TRUE(first.found() && second.found());
  second.took(FetchTrial::kWay[0], kLarge, 1e-9);
  EXPECT_FALSE(second.next().second_cache) << "later readings change nothing";
}

TEST(FetchTrialTest, SmallReadingsAndNoTimeTellNothing) {
  FetchTrial trial;
  for (int i = 0; i < 100; ++i) {
    trial.took(trial.next(), kLarge - 1, 1.0);
    trial.took(trial.next(), kLarge, 0.0);
  }
  EXPECT_FALSE(trial.found());
}

// One slow moment of the machine does not decide.
TEST(FetchTrialTest, TheBestReadingOfAWayCounts) {
  FetchTrial trial;
  for (int i = 0; i < FetchTrial::kWays * FetchTrial::kTurns; ++i) {
    const StreamFetch way = trial.next();
    trial.took(way, kLarge, i == 0 ? 50.0 : way.second_cache ? 1.0 : 1.5);
  }
  EXPECT_TRUE(trial.next().second_cache);
}

}  // namespace
}  // namespace bitnet::cpu
