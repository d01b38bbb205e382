// SPDX-License-Identifier: MIT OR Apache-2.0
// Rings of threads that come and go lose nothing that was pushed.
#include "bitnet/memory/tracking/rings.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

namespace bitnet {
namespace {

TrackingEvent event(std::uint64_t address) {
  TrackingEvent e{};
  e.address = address & 0xFFFF'FFFF'FFFF;
  return e;
}

TEST(Rings, AClosedRingIsDrainedToItsEndBeforeItIsUsedAgain) {
  Rings rings;
  EventRing* first = rings.open();
  for (std::uint64_t i = 0; i < 100; ++i) first->push(event(i));
  rings.close(first);
  EventRing* second = rings.open();
  EXPECT_NE(second, first);
  std::uint64_t seen = 0;
  std::map<ThreadNumber, int> threads;
  EXPECT_EQ(rings.drain([&](ThreadNumber thread, std::span<const TrackingEvent> events) {
    for (const TrackingEvent& e : events) EXPECT_EQ(e.address, seen++);
    ++threads[thread];
  }),
            100u);
  EXPECT_EQ(seen, 100u);
  EventRing* third = rings.open();
  EXPECT_EQ(third, first);
  third->push(event(7));
  rings.drain([&](ThreadNumber thread, std::span<const TrackingEvent>) { ++threads[thread]; });
  EXPECT_EQ(threads, (std::map<ThreadNumber, int>{{1, 1}, {3, 1}}));
}

TEST(Rings, ClosingTwiceOrWhatIsNotOursDoesNothing) {
  Rings rings;
  EventRing* ring = rings.open();
  rings.close(ring);
  rings.close(ring);
  rings.close(nullptr);
  const auto nothing = [](ThreadNumber, std::span<const TrackingEvent>) {};
  rings.drain(nothing);
  rings.close(ring);
  EXPECT_EQ(rings.open(), ring);
  rings.drain(nothing);
  EXPECT_NE(rings.open(), ring);  // still open
  EXPECT_EQ(rings.size_bytes(), 2 * sizeof(EventRing));
}

TEST(Rings, AFullRingCountsWhatItDrops) {
  Rings rings;
  EventRing* ring = rings.open();
  for (std::uint32_t i = 0; i < EventRing::kCapacity + 5; ++i) ring->push(event(i));
  EXPECT_EQ(rings.lost(), 5u);
  std::uint64_t seen = 0;
  rings.drain([&](ThreadNumber, std::span<const TrackingEvent> e) { seen += e.size(); });
  EXPECT_EQ(seen, EventRing::kCapacity);
}

TEST(Rings, AllocationsLeaveRoomForFrees) {
  Rings rings;
  EventRing* ring = rings.open();
  std::uint32_t taken = 0;
  while (ring->push(event(1), EventRing::kAllocationCapacity)) ++taken;
  EXPECT_EQ(taken, EventRing::kAllocationCapacity);
  while (ring->push(event(2))) ++taken;
  EXPECT_EQ(taken, EventRing::kCapacity);
  EXPECT_FALSE(ring->push(event(1), EventRing::kAllocationCapacity));
  EXPECT_EQ(rings.lost(), 3u);
}

/// Threads that open, push and close while one drains: each event comes once, in its ring's order.
TEST(Rings, NothingIsLostBetweenThreads) {
  Rings rings;
  constexpr int kThreads = 4, kLives = 20;
  constexpr std::uint64_t kEvents = 500;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int life = 0; life < kLives; ++life) {
        EventRing* ring = rings.open();
        for (std::uint64_t i = 0; i < kEvents; ++i) ring->push(event(i));
        rings.close(ring);
      }
      --running;
    });
  std::map<ThreadNumber, std::uint64_t> next;
  std::uint64_t out_of_order = 0;
  const auto drain = [&] {
    rings.drain([&](ThreadNumber thread, std::span<const TrackingEvent> events) {
      for (const TrackingEvent& e : events) out_of_order += e.address != next[thread]++;
    });
  };
  while (running > 0) drain();
  for (auto& t : threads) t.join();
  drain();
  std::uint64_t seen = 0;
  for (const auto& [thread, count] : next) seen += count;
  EXPECT_EQ(out_of_order, 0u);
  EXPECT_EQ(seen + rings.lost(), kThreads * kLives * kEvents);
  EXPECT_EQ(rings.lost(), 0u);
}

}  // namespace
}  // namespace bitnet
