// SPDX-License-Identifier: MIT OR Apache-2.0
// A system that lends counters, lends some, or refuses for each of the known reasons.
#include "bitnet/profile/hardware_counters.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <set>

namespace bitnet::profile {
namespace {

using os::PerfEvent;

class FakePerf final : public os::PerfSystem {
 public:
  std::vector<int> threads() override { return thread_ids; }
  int open(PerfEvent event, int thread, int group) override {
    if (const auto found = open_errors.find({thread, event}); found != open_errors.end())
      return -found->second;
    const int fd = next_++;
    EXPECT_TRUE(open_now.insert(fd).second);
    leaders[group < 0 ? fd : group].push_back(event);
    return fd;
  }
  int enable(int group, bool on) override {
    EXPECT_TRUE(on && leaders.contains(group));
    ++enabled;
    return 0;
  }
  int read(int group, std::span<std::uint64_t> words) override {
    if (read_error != 0) return -read_error;
    const auto& events = leaders.at(group);
    words[0] = events.size();
    words[1] = 1000;
    words[2] = running;
    for (std::size_t i = 0; i < events.size(); ++i)
      words[3 + i] = 100 * (static_cast<std::uint64_t>(events[i]) + 1);
    return static_cast<int>(3 + events.size());
  }
  void close(int descriptor) override { EXPECT_EQ(open_now.erase(descriptor), 1u); }
  int paranoia() override { return paranoia_level; }

  std::vector<int> thread_ids{7, 8};
  std::map<std::pair<int, PerfEvent>, int> open_errors;
  std::map<int, std::vector<PerfEvent>> leaders;
  std::set<int> open_now;
  int read_error = 0, enabled = 0, paranoia_level = 3;
  std::uint64_t running = 1000;

 private:
  int next_ = 20;
};

std::string why_not(int error) {
  FakePerf perf;
  perf.open_errors[{7, PerfEvent::cycles}] = error;
  HardwareCounters counters(perf);
  EXPECT_TRUE(perf.open_now.empty());
  const HardwareCounts counts = counters.read();
  EXPECT_FALSE(counts.cycles || counts.instructions || counts.cache_misses);
  EXPECT_EQ(counts.threads, 0);
  return counts.unavailable;
}

TEST(HardwareCounters, SumsAllThreads) {
  FakePerf perf;
  {
    HardwareCounters counters(perf);
    EXPECT_EQ(perf.enabled, 2);
    const HardwareCounts counts = counters.read();
    EXPECT_EQ(counts.unavailable, "");
    EXPECT_EQ(counts.cycles, 200u);
    EXPECT_EQ(counts.instructions, 400u);
    EXPECT_EQ(counts.cache_misses, 600u);
    EXPECT_EQ(counts.threads, 2);
    EXPECT_EQ(counts.running_share, 1.0);
  }
  EXPECT_TRUE(perf.open_now.empty());
}

TEST(HardwareCounters, SharedCountersAreScaledUp) {
  FakePerf perf;
  perf.running = 250;
  HardwareCounters counters(perf);
  EXPECT_EQ(counters.read().cycles, 800u);
  EXPECT_EQ(counters.read().running_share, 0.25);
}

TEST(HardwareCounters, AMissingCounterIsAbsentAlone) {
  FakePerf perf;
  for (const int thread : perf.thread_ids)
    perf.open_errors[{thread, PerfEvent::instructions}] = ENOENT;
  HardwareCounters counters(perf);
  const HardwareCounts counts = counters.read();
  EXPECT_EQ(counts.cycles, 200u);
  EXPECT_FALSE(counts.instructions);
  EXPECT_EQ(counts.cache_misses, 600u);
}

TEST(HardwareCounters, AThreadThatEndedMeanwhileIsLeftOut) {
  FakePerf perf;
  perf.open_errors[{7, PerfEvent::cycles}] = ESRCH;
  HardwareCounters counters(perf);
  EXPECT_EQ(counters.read().threads, 1);
  EXPECT_EQ(counters.read().cycles, 100u);
}

TEST(HardwareCounters, SaysWhyThereAreNone) {
  for (const int error : {EACCES, EPERM})
    EXPECT_EQ(why_not(error),
              "not available: the system does not permit it (kernel.perf_event_paranoid is 3)");
  for (const int error : {ENOENT, ENODEV, EOPNOTSUPP})
    EXPECT_NE(why_not(error).find("lends no hardware counters"), std::string::npos);
  EXPECT_NE(why_not(ENOSYS).find("no perf_event_open"), std::string::npos);
  EXPECT_NE(why_not(EMFILE).find("too many open files"), std::string::npos);
  EXPECT_EQ(why_not(EINVAL).rfind("not available: ", 0), 0u);
}

TEST(HardwareCounters, AllOrNone) {
  FakePerf perf;  // the second thread's counter fails: half a process would mislead
  perf.open_errors[{8, PerfEvent::cycles}] = EMFILE;
  HardwareCounters counters(perf);
  EXPECT_TRUE(perf.open_now.empty());
  EXPECT_FALSE(counters.read().cycles);
  EXPECT_NE(counters.read().unavailable, "");
}

TEST(HardwareCounters, CountersThatNeverRanAreNoNumbers) {
  FakePerf perf;
  perf.running = 0;
  HardwareCounters counters(perf);
  EXPECT_FALSE(counters.read().cycles);
  EXPECT_NE(counters.read().unavailable, "");
  perf.running = 1000;
  perf.read_error = EIO;
  EXPECT_FALSE(counters.read().cycles);
  EXPECT_NE(counters.read().unavailable, "");
}

TEST(HardwareCounters, ThisMachineCountsOrSaysWhyNot) {
  HardwareCounters counters;
  volatile double sum = 0;
  for (int i = 0; i < 1'000'000; ++i) sum = sum + i;
  const HardwareCounts counts = counters.read();
  if (!counts.unavailable.empty()) GTEST_SKIP() << counts.unavailable;
  EXPECT_GT(counts.cycles, 100'000u);
  EXPECT_GE(counts.threads, 1);
}

}  // namespace
}  // namespace bitnet::profile
