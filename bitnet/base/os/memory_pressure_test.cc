// SPDX-License-Identifier: MIT OR Apache-2.0
// Trees of files as kernels write them, good and damaged.
#include "bitnet/base/os/memory_pressure.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bitnet/base/os/threads.h"

namespace bitnet::os {
namespace {

class Tree {
 public:
  Tree() : root_(::testing::TempDir() + "bitnet_memory_pressure_" + std::to_string(process_id())) {
    std::filesystem::remove_all(root_);
  }
  ~Tree() { std::filesystem::remove_all(root_); }
  Tree& add(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
    return *this;
  }
  MemoryPressure read() const { return read_memory_pressure(root_); }

 private:
  std::string root_;
};

TEST(MemoryPressure, ReadsStallsMachineAndGroup) {
  Tree tree;
  tree.add("/proc/pressure/memory",
           "some avg10=1.25 avg60=0.00 avg300=0.00 total=7\n"
           "full avg10=0.50 avg60=9.00 avg300=0.00 total=3\n")
      .add("/proc/meminfo", "MemTotal:       8000 kB\nMemFree:  1 kB\nMemAvailable:    2000 kB\n")
      .add("/proc/self/cgroup", "0::/work/job\n")
      .add("/sys/fs/cgroup/cgroup.controllers", "memory\n")
      .add("/sys/fs/cgroup/work/job/memory.max", "max\n")
      .add("/sys/fs/cgroup/work/job/memory.current", "500\n")
      .add("/sys/fs/cgroup/work/job/memory.events", "low 0\nhigh 4\nmax 5\noom 6\noom_kill 1\n")
      .add("/sys/fs/cgroup/work/memory.max", "1000\n")
      .add("/sys/fs/cgroup/work/memory.current", "900\n")
      .add("/sys/fs/cgroup/work/memory.stat", "anon 5\ninactive_file 300\n");
  const MemoryPressure p = tree.read();
  EXPECT_EQ(p.some_avg10, 1.25);
  EXPECT_EQ(p.full_avg10, 0.5);
  EXPECT_EQ(p.total_bytes, 8000u << 10);
  EXPECT_EQ(p.available_bytes, 2000u << 10);
  EXPECT_EQ(p.group_limit_bytes, 1000u);  // the parent's: the group itself has none
  EXPECT_EQ(p.group_used_bytes, 600u);
  ASSERT_TRUE(p.group_events);
  EXPECT_EQ(p.group_events->high, 4u);
  EXPECT_EQ(p.group_events->max, 5u);
  EXPECT_EQ(p.group_events->oom, 6u);
}

TEST(MemoryPressure, TheFullestGroupOnTheWayUpCounts) {
  Tree tree;
  tree.add("/proc/self/cgroup", "9:memory:/x\n0::/a\n")
      .add("/sys/fs/cgroup/unified/cgroup.controllers", "memory\n")
      .add("/sys/fs/cgroup/unified/a/memory.max", "1000\n")
      .add("/sys/fs/cgroup/unified/a/memory.current", "100\n")
      .add("/sys/fs/cgroup/unified/memory.max", "2000\n")
      .add("/sys/fs/cgroup/unified/memory.current", "1900\n");
  EXPECT_EQ(tree.read().group_limit_bytes, 2000u);
}

TEST(MemoryPressure, WhatIsMissingOrDamagedIsAbsent) {
  EXPECT_FALSE(Tree().read().some_avg10);
  Tree tree;
  tree.add("/proc/pressure/memory", "some avg10=\nfull avg10")
      .add("/proc/meminfo",
           "MemTotal: 99999999999999999999999 kB\nMemAvailable: 18446744073709551615 kB")
      .add("/proc/self/cgroup", "0::/")
      .add("/sys/fs/cgroup/cgroup.controllers", "memory\n")
      .add("/sys/fs/cgroup/memory.max", "-3\n")
      .add("/sys/fs/cgroup/memory.current", "x\n");
  const MemoryPressure p = tree.read();
  EXPECT_FALSE(p.some_avg10);
  EXPECT_FALSE(p.full_avg10);
  EXPECT_EQ(p.total_bytes, 0u);
  EXPECT_EQ(p.available_bytes, 0u);
  EXPECT_FALSE(p.group_limit_bytes);
  EXPECT_FALSE(p.group_events);
}

TEST(MemoryPressure, ThisMachineTellsItsMemory) {
  const MemoryPressure p = read_memory_pressure();
  EXPECT_GT(p.total_bytes, 64u << 20);
  EXPECT_GT(p.available_bytes, 0u);
  EXPECT_LE(p.available_bytes, p.total_bytes);
}

}  // namespace
}  // namespace bitnet::os
