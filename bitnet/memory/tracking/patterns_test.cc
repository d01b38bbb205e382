// SPDX-License-Identifier: MIT OR Apache-2.0
// Each habit is found where it is, with its numbers, and not where it is not.
#include "bitnet/memory/tracking/patterns.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "bitnet/memory/tracking/tags.h"

namespace bitnet {
namespace {

std::vector<PatternFinding> of_kind(const PatternFinder& finder, PatternKind kind) {
  std::vector<PatternFinding> out = finder.findings();
  std::erase_if(out, [&](const PatternFinding& f) { return f.kind != kind; });
  return out;
}

double value(const PatternFinding& finding, std::string_view name) {
  for (const Evidence& e : finding.evidence)
    if (e.name == name) return e.value;
  ADD_FAILURE() << "no evidence " << name;
  return -1;
}

TEST(VoteTable, CountsTheFrequentExactlyAmongManyOthers) {
  std::mt19937_64 random(1);
  VoteTable<256> table;
  std::map<std::uint64_t, std::uint64_t> truth;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t v = i % 3 == 0 ? 4096 : i % 5 == 0 ? 640 : 1'000'000 + random() % 5000;
    table.add(v);
    ++truth[v];
  }
  const auto top = table.top(2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].value, 4096u);
  EXPECT_EQ(top[1].value, 640u);
  for (const auto& entry : table.top(1000)) EXPECT_LE(entry.count, truth[entry.value]);
  EXPECT_GE(top[0].count * 100, truth[4096] * 99);
  EXPECT_EQ(table.total(), 100'000u);
  table.fade();
  EXPECT_EQ(table.total(), 50'000u);
  EXPECT_EQ(table.top(1)[0].count, top[0].count / 2);
}

TEST(Patterns, FindRepeatedSizes) {
  PatternFinder finder;
  for (std::uint64_t i = 0; i < 1000; ++i) finder.allocated(0, i % 4 == 0 ? 777 : 5000 + i, 0);
  const auto found = of_kind(finder, PatternKind::repeated_size);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].subject, "777 bytes");
  EXPECT_EQ(value(found[0], "allocations"), 250);
  EXPECT_EQ(value(found[0], "share_of_allocations"), 0.25);
}

TEST(Patterns, SizesThatDoNotRepeatAreNone) {
  PatternFinder finder;
  for (std::uint64_t i = 0; i < 5000; ++i) finder.allocated(0, 64 * i, 0);
  EXPECT_TRUE(of_kind(finder, PatternKind::repeated_size).empty());
}

TEST(Patterns, FindASawtooth) {
  PatternFinder finder;
  std::uint64_t now = 0;
  for (int tooth = 0; tooth < 10; ++tooth)
    for (std::uint64_t step = 1; step <= 10; ++step)
      finder.end_pass(now += 20, step == 10 ? 1000 : step * 100'000);
  const auto found = of_kind(finder, PatternKind::sawtooth);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(value(found[0], "mean_peak_bytes"), 900'000);
  EXPECT_EQ(value(found[0], "mean_trough_bytes"), 1000);
  EXPECT_EQ(value(found[0], "period_ms"), 200);
  EXPECT_EQ(value(found[0], "teeth"), 9);  // the last is not over
  EXPECT_NEAR(value(found[0], "peak_variation"), 0, 1e-6);
}

TEST(Patterns, IrregularOrSmallTeethAreNone) {
  PatternFinder irregular, small, steady;
  std::mt19937 random(9);
  for (std::uint64_t i = 0; i < 200; ++i) {
    irregular.end_pass(i, i % 2 == 0 ? 0 : std::uint64_t{100'000} << (random() % 6));
    small.end_pass(i, i % 2 == 0 ? 0 : 10'000);
    steady.end_pass(i, 1'000'000 + (i % 2) * 100'000);
  }
  EXPECT_TRUE(of_kind(irregular, PatternKind::sawtooth).empty());
  EXPECT_TRUE(of_kind(small, PatternKind::sawtooth).empty());
  EXPECT_TRUE(of_kind(steady, PatternKind::sawtooth).empty());
}

/// Live bytes of a tag over `seconds`, ten changes a second.
template <class LiveAt>
void live_bytes(PatternFinder& finder, std::uint16_t tag, std::uint64_t seconds, LiveAt live_at) {
  std::uint64_t before = 0;
  for (std::uint64_t t = 100; t <= seconds * 1000; t += 100) {
    const std::uint64_t live = live_at(t);
    live >= before ? finder.allocated(tag, 1, live) : finder.ended(tag, live);
    before = live;
    finder.end_pass(t, live);
  }
}

TEST(Patterns, FindGrowthThatNeverFalls) {
  const std::uint16_t tag = intern_tag("patterns_test.growing").index;
  PatternFinder finder;
  // Work comes and goes, but what stays after it grows by 40 kB a second.
  live_bytes(finder, tag, 20,
             [](std::uint64_t t) { return t * 40 + (t % 1000 < 500 ? 500'000u : 0u); });
  const auto found = of_kind(finder, PatternKind::growth);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].subject, "tag patterns_test.growing");
  EXPECT_NEAR(value(found[0], "bytes_per_second"), 40'000, 4000);
  EXPECT_TRUE(finder.grows(tag));
  EXPECT_FALSE(finder.grows(0));
}

TEST(Patterns, GrowthThatFallsOrEndsIsNone) {
  PatternFinder falls, ends, soon;
  live_bytes(falls, 0, 30, [](std::uint64_t t) { return t % 7000 * 1000; });
  live_bytes(ends, 0, 60, [](std::uint64_t t) { return std::min<std::uint64_t>(t, 5000) * 100; });
  live_bytes(soon, 0, 5, [](std::uint64_t t) { return t * 1000; });
  EXPECT_TRUE(of_kind(falls, PatternKind::growth).empty());
  EXPECT_TRUE(of_kind(ends, PatternKind::growth).empty());
  EXPECT_TRUE(of_kind(soon, PatternKind::growth).empty());
}

TEST(Patterns, FindPingPongBetweenThreads) {
  PatternFinder finder;
  for (int i = 0; i < 1000; ++i) finder.freed(1, i % 4 == 0 ? 2 : 1);
  const auto found = of_kind(finder, PatternKind::ping_pong);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].subject, "threads 1 -> 2");
  EXPECT_EQ(value(found[0], "frees"), 250);
  EXPECT_EQ(value(found[0], "share_of_frees"), 0.25);
  PatternFinder own;
  for (int i = 0; i < 1000; ++i) own.freed(3, 3);
  EXPECT_TRUE(own.findings().empty());
}

/// The predecessor went over 10,000 records at each allocation. Here a million events more change
/// nothing in what one costs: the state has a fixed size, which this holds.
TEST(Patterns, OldHabitsFade) {
  PatternFinder finder;
  for (int i = 0; i < 1000; ++i) finder.allocated(0, 777, 0);
  for (std::uint64_t i = 0; i < 3'000'000; ++i) finder.allocated(0, 64, 0);
  const auto found = of_kind(finder, PatternKind::repeated_size);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].subject, "64 bytes");
  EXPECT_LE(value(found[0], "allocations"), 1 << 20);
}

}  // namespace
}  // namespace bitnet
