// SPDX-License-Identifier: MIT OR Apache-2.0
// Against a map, for any order in which the rings of threads may be drained.
#include "bitnet/memory/tracking/live_table.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

namespace bitnet {
namespace {

LiveBlock block(std::uint64_t address, std::uint32_t size = 64, std::uint64_t time_ms = 0,
                std::uint16_t tag = 0, ThreadNumber thread = 0) {
  LiveBlock b;
  b.address = address;
  b.size = size;
  b.time_ms = time_ms;
  b.tag = tag;
  b.thread = thread;
  return b;
}

std::map<std::uint64_t, std::uint32_t> contents(const LiveTable& table) {
  std::map<std::uint64_t, std::uint32_t> all;
  table.for_each([&](const LiveBlock& b) { all[b.address] = b.size; });
  return all;
}

/// A free is matched by address: id, age, tag and size are those of its own allocation, however
/// many blocks of its size are live.
TEST(LiveTable, AFreeFindsItsOwnAllocation) {
  LiveTable table;
  for (std::uint64_t i = 1; i <= 1000; ++i)
    table.allocate(block(i * 64, 64, i, static_cast<std::uint16_t>(i % 7), 3));
  for (std::uint64_t i = 1000; i >= 1; --i) {
    const LiveChange change = table.free(i * 64, 5000, 4);
    ASSERT_TRUE(change.ended && change.freed);
    EXPECT_EQ(change.block.time_ms, i);
    EXPECT_EQ(change.block.tag, i % 7);
    EXPECT_EQ(change.block.thread, 3u);
    EXPECT_EQ(change.freed_by, 4u);
  }
  EXPECT_TRUE(contents(table).empty());
}

TEST(LiveTable, EqualsAMapInAnyOrderOfOperations) {
  std::mt19937 random(7);
  LiveTable table;
  std::map<std::uint64_t, std::uint32_t> model;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t address = 16 * (1 + random() % 3000);
    if (const auto found = model.find(address); found != model.end()) {
      EXPECT_EQ(table.free(address, 0, 0).block.size, found->second);
      model.erase(found);
    } else {
      const auto size = static_cast<std::uint32_t>(random() % 1000);
      EXPECT_TRUE(table.allocate(block(address, size)).began);
      model[address] = size;
    }
    if (i % 1000 == 0) {
      ASSERT_EQ(contents(table), model);
    }
  }
  EXPECT_EQ(table.unmatched(), 0u);
}

/// Threads hand blocks to each other; every event goes to its thread's ring, rings are drained in
/// passes in any order while threads go on. Nothing is lost, so the table must end right.
TEST(LiveTable, RingsDrainedInAnyOrderEndWithTheTruth) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    struct Event {
      bool allocate;
      std::uint64_t address;
      std::uint32_t size;
    };
    std::deque<Event> rings[3];
    std::map<std::uint64_t, std::uint32_t> truth;
    LiveTable table;
    std::uint64_t began = 0, ended = 0, freed = 0, total = 0;
    const auto run_threads = [&](int steps) {
      for (int i = 0; i < steps; ++i) {
        auto& ring = rings[random() % 3];
        const std::uint64_t address = 16 * (1 + random() % 5);
        if (truth.erase(address)) {
          ring.push_back({false, address, 0});
        } else {
          const auto size = static_cast<std::uint32_t>(1 + random() % 1000);
          truth[address] = size;
          ring.push_back({true, address, size});
          ++total;
        }
      }
    };
    const auto drain = [&] {
      for (const std::size_t r : {random() % 3, std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
        for (std::size_t left = rings[r].size(); left > 0; --left) {
          const Event e = rings[r].front();
          rings[r].pop_front();
          const LiveChange change =
              e.allocate ? table.allocate(block(e.address, e.size)) : table.free(e.address, 0, 1);
          began += change.began;
          ended += change.ended;
          freed += change.freed;
        }
        run_threads(3);  // between rings, so that causes may lie in a ring already drained
      }
      table.end_pass();
    };
    for (int pass = 0; pass < 30; ++pass) {
      run_threads(40);
      drain();
    }
    for (auto& ring : rings) {  // everything has come; two passes settle it
      while (!ring.empty()) {
        const Event e = ring.front();
        ring.pop_front();
        const LiveChange change =
            e.allocate ? table.allocate(block(e.address, e.size)) : table.free(e.address, 0, 1);
        began += change.began;
        ended += change.ended;
        freed += change.freed;
      }
    }
    table.end_pass();
    table.end_pass();
    std::map<std::uint64_t, std::uint32_t> live = contents(table);
    ASSERT_EQ(live.size(), truth.size()) << seed;
    for (const auto& [address, size] : truth) EXPECT_TRUE(live.contains(address)) << seed;
    EXPECT_EQ(table.unmatched(), 0u) << seed;
    EXPECT_EQ(began, total);
    EXPECT_EQ(began - ended, truth.size());
    EXPECT_EQ(freed, total - truth.size()) << seed;
  }
}

TEST(LiveTable, AFreeSeenBeforeItsAllocationIsOneLife) {
  LiveTable table;
  EXPECT_FALSE(table.free(64, 9, 2).ended);
  const LiveChange change = table.allocate(block(64, 10, 5, 1, 1));
  EXPECT_TRUE(change.began && change.ended && change.began_first && change.freed);
  EXPECT_EQ(change.freed_by, 2u);
  EXPECT_EQ(change.block.thread, 1u);
  EXPECT_TRUE(contents(table).empty());
}

TEST(LiveTable, LostEventsAreForgottenAfterTwoPasses) {
  LiveTable table;
  table.free(64, 0, 0);  // its allocation was lost
  table.allocate(block(128));
  table.allocate(block(128, 32));  // the free in between was lost
  table.end_pass();
  table.end_pass();
  EXPECT_EQ(table.unmatched(), 2u);
  EXPECT_TRUE(table.allocate(block(64)).began);
  EXPECT_FALSE(table.allocate(block(192)).ended);
  EXPECT_TRUE(table.free(128, 0, 0).ended);
  EXPECT_EQ(contents(table).size(), 2u);
}

TEST(LiveTable, BeyondItsLimitItCounts) {
  LiveTable table(2);
  table.allocate(block(64));
  table.allocate(block(128));
  EXPECT_FALSE(table.allocate(block(192)).began);
  EXPECT_EQ(table.untracked(), 1u);
  EXPECT_FALSE(table.free(192, 0, 0).ended);
  EXPECT_TRUE(table.free(64, 0, 0).ended);
  EXPECT_TRUE(table.allocate(block(256)).began);
}

TEST(LiveTable, ForgetsAndFinds) {
  LiveTable table;
  table.allocate(block(64));
  ASSERT_NE(table.find(64), nullptr);
  table.find(64)->site = 5;
  EXPECT_EQ(table.free(64, 0, 0).block.site, 5u);
  table.allocate(block(64));
  table.forget(64);
  table.forget(64);
  EXPECT_EQ(table.find(64), nullptr);
}

}  // namespace
}  // namespace bitnet
