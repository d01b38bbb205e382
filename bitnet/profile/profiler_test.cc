// SPDX-License-Identifier: MIT OR Apache-2.0
// Sums, nesting and bounds against a clock that the tests set.
#include "bitnet/profile/profiler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

namespace bitnet::profile {
namespace {

std::atomic<std::uint64_t> fake_now{0};
std::uint64_t fake_clock() { return fake_now.load(std::memory_order_relaxed); }
void pass(std::uint64_t nanoseconds) { fake_now += nanoseconds; }

class Profiler : public ::testing::Test {
 protected:
  Profiler() { fake_now = 1000; }
  ~Profiler() override { stop(); }
  static void begin(std::size_t events = 1 << 16) {
    start({.events_per_thread = events, .clock = fake_clock});
  }
  static std::map<std::string, Totals> ops(const Report& report) {
    std::map<std::string, Totals> found;
    for (const Op& op : report.ops) found[op.name] = op.totals;
    return found;
  }
};

// "outer/inner" to totals.
std::map<std::string, Totals> tree(const Report& report) {
  std::vector<std::string> paths;
  std::map<std::string, Totals> found;
  for (const Call& call : report.calls) {
    paths.push_back((call.parent < 0 ? "" : paths.at(static_cast<std::size_t>(call.parent)) + "/") +
                    call.name);
    EXPECT_TRUE(found.emplace(paths.back(), call.totals).second) << paths.back();
  }
  return found;
}

TEST_F(Profiler, NothingIsRecordedWhileOff) {
  begin();
  stop();
  bool counted = false;
  {
    const Span span("off", [&] {
      counted = true;
      return Work{};
    });
    pass(5);
  }
  EXPECT_FALSE(counted);
  EXPECT_TRUE(report().ops.empty());
  EXPECT_TRUE(report().events.empty());
}

TEST_F(Profiler, SumsOfOneName) {
  begin();
  for (const std::uint64_t nanoseconds : {3u, 5u}) {
    const Span span("op", {.bytes = 100, .float_ops = 40, .int8_ops = 10});
    pass(nanoseconds);
  }
  pass(2);
  const Report r = report();
  ASSERT_EQ(r.ops.size(), 1u);
  const Totals& t = r.ops[0].totals;
  EXPECT_EQ(t.count, 2u);
  EXPECT_DOUBLE_EQ(t.seconds, 8e-9);
  EXPECT_DOUBLE_EQ(t.self_seconds, 8e-9);
  EXPECT_EQ(t.work, (Work{200, 80, 20}));
  EXPECT_DOUBLE_EQ(t.mean_seconds(), 4e-9);
  EXPECT_DOUBLE_EQ(t.intensity(), 0.5);
  EXPECT_DOUBLE_EQ(t.bytes_per_second(), 200 / 8e-9);
  EXPECT_DOUBLE_EQ(t.ops_per_second(), 100 / 8e-9);
  EXPECT_DOUBLE_EQ(r.seconds, 10e-9);
  EXPECT_EQ(r.lanes, 1);
}

TEST_F(Profiler, InnerSpansAreNotTimeOfTheirOwn) {
  begin();
  {
    const Span outer("outer");
    pass(1);
    for (int i = 0; i < 2; ++i) {
      const Span inner("inner");
      pass(10);
      const Span innermost("innermost");
      pass(100);
    }
    pass(1000);
  }
  const Span again("inner");  // open: does not count yet
  const Report r = report();
  const auto calls = tree(r);
  ASSERT_EQ(calls.size(), 4u);
  EXPECT_DOUBLE_EQ(calls.at("outer").seconds, 1221e-9);
  EXPECT_DOUBLE_EQ(calls.at("outer").self_seconds, 1001e-9);
  EXPECT_DOUBLE_EQ(calls.at("outer/inner").seconds, 220e-9);
  EXPECT_DOUBLE_EQ(calls.at("outer/inner").self_seconds, 20e-9);
  EXPECT_DOUBLE_EQ(calls.at("outer/inner/innermost").self_seconds, 200e-9);
  EXPECT_EQ(calls.at("inner").count, 0u);
  EXPECT_DOUBLE_EQ(r.self_seconds(), 1221e-9);  // each moment once
  ASSERT_EQ(r.ops.size(), 3u);
  EXPECT_EQ(r.ops[0].name, "outer");
  EXPECT_EQ(r.ops[1].name, "innermost");
  EXPECT_EQ(r.ops[2].name, "inner");
}

void recurse(int depth) {
  const Span span("recursive");
  pass(1);
  if (depth > 1) recurse(depth - 1);
}

TEST_F(Profiler, ASpanInsideOneOfItsNameCountsOnce) {
  begin();
  recurse(4);
  const Totals t = ops(report()).at("recursive");
  EXPECT_EQ(t.count, 4u);
  EXPECT_DOUBLE_EQ(t.seconds, 4e-9);
  EXPECT_DOUBLE_EQ(t.self_seconds, 4e-9);
}

TEST_F(Profiler, EventsSayWhenAndWhere) {
  begin();
  pass(7);
  {
    const Span outer("outer");
    const Span inner("inner");  // begins in the same moment
    pass(5);
  }
  {
    const Span next("next");
    pass(1);
  }
  const Report r = report();
  ASSERT_EQ(r.events.size(), 3u);
  const auto name = [&](int i) {
    return r.calls[static_cast<std::size_t>(r.events[static_cast<std::size_t>(i)].call)].name;
  };
  EXPECT_EQ(name(0), "outer");
  EXPECT_EQ(name(1), "inner");
  EXPECT_EQ(name(2), "next");
  EXPECT_DOUBLE_EQ(r.events[1].begin_seconds, 7e-9);
  EXPECT_DOUBLE_EQ(r.events[1].seconds, 5e-9);
  EXPECT_DOUBLE_EQ(r.events[2].begin_seconds, 12e-9);
}

TEST_F(Profiler, LostEventsAreCountedAndSumsStayExact) {
  begin(10);
  for (int i = 0; i < 25; ++i) {
    const Span span("op", {.bytes = 2});
    pass(1);
  }
  const Report r = report();
  EXPECT_EQ(r.events.size(), 10u);
  EXPECT_EQ(r.lost_events, 15u);
  EXPECT_EQ(r.unrecorded_spans, 0u);
  EXPECT_EQ(ops(r).at("op").count, 25u);
  EXPECT_DOUBLE_EQ(ops(r).at("op").seconds, 25e-9);
  EXPECT_EQ(ops(r).at("op").work.bytes, 50u);
}

TEST_F(Profiler, PlacesBeyondTheRoomAreCountedAsUnrecorded) {
  begin();
  recurse(kMaxCalls + 8);  // one place is around all
  const Report r = report();
  EXPECT_EQ(ops(r).at("recursive").count, static_cast<std::uint64_t>(kMaxCalls - 1));
  EXPECT_EQ(r.unrecorded_spans, 9u);
  EXPECT_NEAR(r.self_seconds(), (kMaxCalls + 8) * 1e-9, 1e-15);  // time of the span around them
}

TEST_F(Profiler, APlaceIsFoundAgainInAnyOrder) {
  begin();
  for (int i = 0; i < kMaxCalls; ++i) {  // a place too many each time would leave no room
    { const Span a("a"); }
    { const Span b("b"); }
    { const Span c("c"); }
    if (i % 3 == 0) const Span b("b");
  }
  EXPECT_EQ(report().unrecorded_spans, 0u);
  EXPECT_EQ(report().calls.size(), 3u);
}

TEST_F(Profiler, ClearForgetsAndOpenSpansWithIt) {
  begin();
  {
    const Span old("old");
    pass(3);
    clear();
    EXPECT_TRUE(report().ops.empty());
    {
      const Span fresh("fresh");
      pass(4);
    }
  }
  {
    const Span after("after");
    pass(1);
  }
  const Report r = report();
  const auto calls = tree(r);
  ASSERT_EQ(calls.size(), 2u);  // "fresh" is an outermost one
  EXPECT_DOUBLE_EQ(calls.at("fresh").seconds, 4e-9);
  EXPECT_DOUBLE_EQ(r.events[0].begin_seconds, 0.0);
  EXPECT_DOUBLE_EQ(r.seconds, 5e-9);
}

TEST_F(Profiler, StopKeepsWhatWasRecordedAndStartForgets) {
  begin();
  {
    const Span open("open");
    pass(2);
    stop();
    pass(3);
    const Span off("off");
  }
  EXPECT_EQ(tree(report()).at("open").count, 1u);
  EXPECT_EQ(report().ops.size(), 1u);
  EXPECT_DOUBLE_EQ(report().seconds, 2e-9);
  begin();
  EXPECT_TRUE(report().calls.empty());
}

TEST_F(Profiler, AThreadThatBeginsAfterAnotherEndedTakesItsLane) {
  begin();
  for (int i = 0; i < 20; ++i)
    std::thread([] {
      const Span span("short");
      pass(1);
    }).join();
  const Report r = report();
  EXPECT_EQ(ops(r).at("short").count, 20u);
  EXPECT_EQ(r.lanes, 1);  // this thread had no span
  EXPECT_EQ(r.events.size(), 20u);
}

TEST_F(Profiler, ManyThreadsAddUp) {
  constexpr int kThreads = 8, kSpans = 4000;
  start({.events_per_thread = 1000});
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done.load()) {
      const Report r = report();
      EXPECT_LE(r.lost_events, std::uint64_t{kThreads} * kSpans * 2);
      for (const Event& e : r.events) EXPECT_LT(static_cast<std::size_t>(e.call), r.calls.size());
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < kSpans; ++i) {
        const Span outer("outer");
        const Span inner("inner", [] { return Work{1, 2, 3}; });
      }
    });
  for (std::thread& t : threads) t.join();
  done = true;
  reader.join();
  const Report r = report();
  const auto sums = ops(r);
  constexpr std::uint64_t kAll = std::uint64_t{kThreads} * kSpans;
  EXPECT_EQ(sums.at("outer").count, kAll);
  EXPECT_EQ(sums.at("inner").work, (Work{kAll, 2 * kAll, 3 * kAll}));
  EXPECT_EQ(r.events.size() + r.lost_events, 2 * kAll);
  EXPECT_GE(sums.at("outer").seconds, sums.at("inner").seconds);
  EXPECT_EQ(tree(r).count("outer/inner"), 1u);
}

TEST_F(Profiler, StartAndClearWhileOthersRecord) {
  start();
  std::atomic<bool> done{false};
  std::atomic<int> spans{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (; !done.load(); ++spans) {
        const Span outer("outer");
        const Span inner("inner");
      }
    });
  for (int i = 0; i < 300; ++i) {
    const int before = spans.load();
    while (spans.load() < before + 10) std::this_thread::yield();
    if (i % 3 == 0) start({.events_per_thread = static_cast<std::size_t>(i)});
    if (i % 3 == 1) clear();
    if (i % 3 == 2) stop();
    const Report r = report();
    for (const Event& e : r.events) EXPECT_LT(static_cast<std::size_t>(e.call), r.calls.size());
  }
  done = true;
  for (std::thread& t : threads) t.join();
}

TEST_F(Profiler, TheMachinesClockIsTrue) {
  start();
  const auto begin = std::chrono::steady_clock::now();
  {
    const Span span("sleep");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const std::chrono::duration<double> real = std::chrono::steady_clock::now() - begin;
  const double seconds = ops(report()).at("sleep").seconds;
  EXPECT_GE(seconds, 0.0199);
  EXPECT_LE(seconds, real.count() * 1.01);
}

}  // namespace
}  // namespace bitnet::profile
