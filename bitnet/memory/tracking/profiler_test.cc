// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/profiler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "bitnet/base/error.h"
#include "bitnet/memory/tracking/fake_pool.h"
#include "bitnet/memory/tracking/report.h"

namespace bitnet {
namespace {

using std::chrono::milliseconds;
using testing::Bench;

TEST(Profiler, CountsItsSessionAlone) {
  Bench b;
  const std::uint64_t before = b.allocate(5000);
  b.tracker.start_profile("load");
  b.now += milliseconds(3);
  std::vector<std::uint64_t> blocks;
  {
    const TagScope tag("profiler_test.weights");
    for (int i = 0; i < 10; ++i) blocks.push_back(b.allocate(100));
  }
  b.after(milliseconds(4));
  for (int i = 0; i < 9; ++i) b.free(blocks[static_cast<std::size_t>(i)]);
  b.free(before);
  const ProfileReport report = b.tracker.stop_profile();
  b.allocate(7);
  EXPECT_EQ(report.name, "load");
  EXPECT_EQ(report.duration_ms, 7u);
  EXPECT_EQ(report.total.allocations, 10u);
  EXPECT_EQ(report.total.frees, 10u);
  EXPECT_EQ(report.total.allocated_bytes, 1000u);
  EXPECT_EQ(report.total.live_bytes, 100u);
  ASSERT_EQ(report.top_sizes.size(), 1u);
  EXPECT_EQ(report.top_sizes[0].bytes, 100u);
  EXPECT_EQ(report.top_sizes[0].allocations, 10u);
  EXPECT_EQ(report.lifetimes.all.total, 10u);
  EXPECT_EQ(report.peak.bytes, 6000u);
  EXPECT_EQ(report.peak.kept_bytes, 6000u);
  ASSERT_EQ(report.peak.tags.size(), 2u);
  EXPECT_EQ(report.peak.tags[0].live_bytes, 5000u);
  EXPECT_EQ(tag_name(report.peak.tags[1].tag), "profiler_test.weights");
  EXPECT_EQ(tag_name(report.top_tags.at(0).tag), "profiler_test.weights");
}

TEST(Profiler, TheNextSessionBeginsAnew) {
  Bench b;
  b.tracker.start_profile("one");
  const std::uint64_t block = b.allocate(1 << 20);
  b.after(milliseconds(1));
  b.free(block);
  b.tracker.stop_profile();
  b.tracker.start_profile("two");
  b.allocate(10);
  const ProfileReport report = b.tracker.stop_profile();
  EXPECT_EQ(report.peak.bytes, 10u);
  EXPECT_EQ(report.total.allocations, 1u);
  EXPECT_EQ(report.lifetimes.all.total, 0u);
}

/// The predecessor's stop always hung: here a second stop, and a start in a start, are errors.
TEST(Profiler, StoppingTwiceAndNestingAreErrors) {
  Bench b;
  EXPECT_THROW(b.tracker.stop_profile(), Error);
  EXPECT_THROW(b.tracker.profile(), Error);
  b.tracker.start_profile("a \"quoted\" name");
  try {
    b.tracker.start_profile("inner");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_argument);
    EXPECT_STREQ(error.what(),
                 "start_profile: profile \"a \\\"quoted\\\" name\" is running; stop it first");
  }
  EXPECT_EQ(b.tracker.profile().name, "a \"quoted\" name");
  b.tracker.stop_profile();
  EXPECT_THROW(b.tracker.stop_profile(), Error);
  b.tracker.start_profile("again");
}

TEST(Profiler, ThreadsThatStartAndStopAtOnceNeverHang) {
  Tracker tracker(TrackingConfig::detailed());
  tracker.start();
  std::atomic<int> started{0}, stopped{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        try {
          tracker.start_profile("x");
          ++started;
        } catch (const Error&) {
        }
        try {
          tracker.stop_profile();
          ++stopped;
        } catch (const Error&) {
        }
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(started, stopped);
  EXPECT_GT(started, 0);
}

/// What a site allocated before the session counts before it.
TEST(Profiler, SitesAreOfTheSession) {
  Bench b(TrackingConfig::debug());
  b.after(milliseconds(10));
  const auto allocate = [&] { b.allocate(64); };
  for (int i = 0; i < 2; ++i) {
    if (i == 1) b.tracker.start_profile("second");
    allocate();
    b.after(milliseconds(10));
  }
  const ProfileReport report = b.tracker.stop_profile();
  std::uint64_t allocations = 0;
  for (const SiteStats& site : report.top_sites) allocations += site.allocations;
  EXPECT_EQ(allocations, 1u);
}

}  // namespace
}  // namespace bitnet
