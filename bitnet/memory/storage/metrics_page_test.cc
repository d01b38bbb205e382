// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/metrics_page.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "bitnet/base/error.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet::storage {
namespace {

MemoryMetrics figures(std::uint64_t value) {
  MemoryMetrics m;
  m.live_bytes = m.peak_bytes = m.live_blocks = m.total_allocations = value;
  m.small.committed_bytes = m.large.committed_bytes = value;
  m.pressure.failures = value;
  m.compression.bytes_before = value;
  m.devices.push_back({.live_bytes = value});
  m.devices.push_back({.device = {DeviceKind::cuda, 3}, .live_bytes = value});
  for (std::uint32_t i = 0; i < 50; ++i) m.classes.push_back({16 * (i + 1), value, i});
  return m;
}

bool lists(std::int64_t pid) {
  const auto all = list_metrics_pages();
  return std::find(all.begin(), all.end(), pid) != all.end();
}

TEST(MetricsPage, ShowsWhatWasPublishedUntilItEnds) {
  {
    MetricsPage page;
    for (std::uint64_t i = 1; i <= 300; ++i) page.publish(figures(i), i, PressureLevel::low);
    const auto reading = read_metrics_page(::getpid());
    ASSERT_TRUE(reading);
    EXPECT_TRUE(reading->alive);
    const PublishedMetrics& p = reading->metrics;
    EXPECT_EQ(p.live_bytes, 300u);
    EXPECT_EQ(p.resident_bytes, 300u);
    EXPECT_EQ(p.large.committed_bytes, 300u);
    EXPECT_EQ(p.failures, 300u);
    EXPECT_EQ(p.packed_bytes_before, 300u);
    EXPECT_EQ(p.pressure_level, static_cast<std::uint64_t>(PressureLevel::low));
    ASSERT_EQ(p.num_devices, 2u);
    EXPECT_EQ(to_string(device_of(p.devices[1])), "cuda:3");
    EXPECT_EQ(p.devices[1].live_bytes, 300u);
    EXPECT_EQ(p.num_samples, PublishedMetrics::kMaxSamples);
    EXPECT_EQ(p.samples[0].live_bytes, 61u) << "the oldest of the last 240";
    EXPECT_EQ(p.samples[239].committed_bytes, 600u);
    EXPECT_EQ(p.num_classes, PublishedMetrics::kMaxClasses);
    EXPECT_EQ(p.classes[0].block_bytes, 800u) << "most live bytes first";
    EXPECT_EQ(p.classes[31].block_bytes, 800u - 31 * 16);
    EXPECT_TRUE(lists(::getpid()));
    EXPECT_THROW(MetricsPage(), Error) << "a process has one";
  }
  EXPECT_FALSE(read_metrics_page(::getpid()));
  EXPECT_FALSE(lists(::getpid()));
}

TEST(MetricsPage, AReadingIsOfOnePublish) {
  MetricsPage page;
  page.publish(figures(1), 1, {});
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    std::uint64_t last = 0;
    while (!stop) {
      const auto reading = read_metrics_page(::getpid());
      if (!reading) continue;  // a thousand attempts met a writer
      const PublishedMetrics& p = reading->metrics;
      ASSERT_EQ(p.live_bytes, p.failures);
      ASSERT_EQ(p.live_bytes, p.samples[p.num_samples - 1].live_bytes);
      ASSERT_GE(p.live_bytes, last);
      last = p.live_bytes;
    }
  });
  for (std::uint64_t i = 2; i < 3000; ++i) page.publish(figures(i), i, PressureLevel::low);
  stop = true;
  reader.join();
}

TEST(MetricsPage, PagesOfTheDeadAreRemoved) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    MetricsPage page;
    page.publish(figures(7), 7, {});
    [[maybe_unused]] const auto written = ::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_TRUE(lists(child));
  EXPECT_EQ(read_metrics_page(child)->metrics.live_bytes, 7u);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  // Another lister of this machine may have been faster.
  if (const auto last = read_metrics_page(child)) {
    EXPECT_FALSE(last->alive);
  }
  EXPECT_FALSE(lists(child));
  EXPECT_FALSE(read_metrics_page(child)) << "the list removed it";
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(MetricsPage, WhateverIsThereIsAPageOrNone) {
  alignas(8) std::array<std::byte, kMetricsPageBytes> page;
  {
    MetricsPage real;
    real.publish(figures(5), 5, {});
    const auto shared = os::SharedMemory::attach("bitnet-memory-" + std::to_string(::getpid()),
                                                 os::SharedMemory::Access::read_only, 1, 1 << 20);
    std::memcpy(page.data(), shared->bytes().data(), page.size());
  }
  ASSERT_TRUE(read_metrics_page(page));
  EXPECT_FALSE(read_metrics_page(std::span<const std::byte>(page).first(4096)));
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    auto damaged = page;
    for (int k = 0; k < 4; ++k)
      damaged[random() % (i % 2 ? 64 : page.size())] ^= static_cast<std::byte>(random() & 255);
    const auto reading = read_metrics_page(damaged);
    if (!reading) {
      ++refused;
      continue;
    }
    ASSERT_LE(reading->metrics.num_classes, PublishedMetrics::kMaxClasses);
    ASSERT_LE(reading->metrics.num_samples, PublishedMetrics::kMaxSamples);
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace bitnet::storage
