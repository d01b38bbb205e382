// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/buddy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace bitnet::memory {
namespace {

using Random = std::minstd_rand;

std::uint32_t next(Random& random) { return static_cast<std::uint32_t>(random() >> 4); }

constexpr std::uint32_t kUnits = 2 * kArenaUnits;

class BuddyTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(buddy.create(metadata, kUnits));
    buddy.give(0, kUnits, false);
  }
  Metadata metadata;
  Buddy buddy;
};

TEST_F(BuddyTest, AgreesWithAListOfUnits) {
  enum class Unit : char { clean, dirty, taken };
  std::vector<Unit> model(kUnits, Unit::clean);
  std::map<std::uint32_t, std::uint32_t> live;
  Random random(7);
  for (int step = 0; step < 20000; ++step) {
    const bool more = live.size() < 200 ? next(random) % 3 != 0 : next(random) % 3 == 0;
    if (more) {
      const std::uint32_t units =
          next(random) % 8 == 0 ? 1 + next(random) % kArenaUnits : 1 + next(random) % 40;
      const std::uint32_t align = next(random) % 4 == 0 ? 1u << (next(random) % 6) : 1u;
      const auto from = next(random) % 2 ? Buddy::From::any : Buddy::From::dirty;
      const std::uint32_t unit = buddy.take(units, align, from);
      if (unit == kNoUnit) continue;
      ASSERT_EQ(unit % align, 0u);
      for (std::uint32_t u = unit; u < unit + units; ++u) {
        ASSERT_NE(model[u], Unit::taken);
        model[u] = Unit::taken;
      }
      live[unit] = units;
    } else if (!live.empty()) {
      auto it = live.begin();
      std::advance(it, static_cast<long>(next(random) % live.size()));
      const bool dirty = next(random) % 4 != 0;
      buddy.give(it->first, it->second, dirty);
      std::fill_n(model.begin() + it->first, it->second, dirty ? Unit::dirty : Unit::clean);
      live.erase(it);
    }
    if (step % 500 == 0) {
      ASSERT_NO_THROW(buddy.validate());
      ASSERT_EQ(buddy.free_units(), kUnits - std::count(model.begin(), model.end(), Unit::taken));
      ASSERT_EQ(buddy.dirty_units(), std::count(model.begin(), model.end(), Unit::dirty));
    }
    if (step % 3000 == 2999) {
      const std::uint32_t most = next(random) % 200, dirty_before = buddy.dirty_units();
      const std::uint32_t cleaned =
          buddy.clean(most, [&](std::uint32_t first, std::uint32_t units) {
            for (std::uint32_t u = first; u < first + units; ++u) {
              EXPECT_EQ(model[u], Unit::dirty);
              model[u] = Unit::clean;
            }
            return units;
          });
      ASSERT_TRUE(most == 0 || cleaned > 0 || dirty_before == 0);
      ASSERT_EQ(buddy.dirty_units(), dirty_before - cleaned);
      ASSERT_NO_THROW(buddy.validate());
    }
  }
}

TEST_F(BuddyTest, EmptiedSpaceServesItsLargestBlockAgain) {
  Random random(3);
  for (int round = 0; round < 5; ++round) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> live;
    for (;;) {
      const std::uint32_t units = 1 + next(random) % 100;
      const std::uint32_t unit = buddy.take(units, 1, Buddy::From::any);
      if (unit == kNoUnit) break;
      live.emplace_back(unit, units);
    }
    EXPECT_LT(buddy.largest_free(), kArenaUnits);
    std::shuffle(live.begin(), live.end(), random);
    for (const auto& [unit, units] : live) buddy.give(unit, units, true);
    EXPECT_EQ(buddy.largest_free(), kArenaUnits);
    const std::uint32_t whole = buddy.take(kArenaUnits, 1, Buddy::From::any);
    const std::uint32_t other = buddy.take(kArenaUnits, 1, Buddy::From::any);
    EXPECT_EQ(whole + other, kArenaUnits);
    buddy.give(whole, kArenaUnits, true);
    buddy.give(other, kArenaUnits, true);
  }
}

TEST_F(BuddyTest, DirtyMemoryIsUsedFirst) {
  const std::uint32_t a = buddy.take(64, 1, Buddy::From::any);
  const std::uint32_t b = buddy.take(64, 1, Buddy::From::any);
  EXPECT_EQ(buddy.take(1, 1, Buddy::From::dirty), kNoUnit);
  buddy.give(b, 64, true);
  EXPECT_EQ(buddy.take(64, 1, Buddy::From::any), b);
  buddy.give(a, 64, false);
  buddy.give(b, 64, true);
  EXPECT_EQ(buddy.dirty_units(), 64u);
}

TEST_F(BuddyTest, MoreThanAnArenaIsRefused) {
  EXPECT_EQ(buddy.take(kArenaUnits + 1, 1, Buddy::From::any), kNoUnit);
}

}  // namespace
}  // namespace bitnet::memory
