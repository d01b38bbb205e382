// SPDX-License-Identifier: MIT OR Apache-2.0
// What the system says about scarce memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitnet::os {

/// Counters of a control group since it began: how often its memory was held back or refused.
struct MemoryEvents {
  std::uint64_t high = 0;  // throttled above memory.high
  std::uint64_t max = 0;   // about to go above memory.max
  std::uint64_t oom = 0;   // out of memory, killed or not
};

/// Absent where the system does not tell.
struct MemoryPressure {
  std::optional<double> some_avg10;  // percent of the last 10 s in which some task waited
  std::optional<double> full_avg10;  // percent in which all tasks waited
  std::optional<std::uint64_t> group_limit_bytes;  // the tightest of the group and its parents
  std::optional<std::uint64_t> group_used_bytes;   // of that group, without clean file pages
  std::optional<MemoryEvents> group_events;
  std::uint64_t total_bytes = 0;  // of the machine, 0 unknown
  std::uint64_t available_bytes = 0;
};

/// Reads /proc and /sys below `root` ("" is the machine; tests bring their own tree).
/// PSI: docs.kernel.org/accounting/psi.html; groups: docs.kernel.org/admin-guide/cgroup-v2.html
MemoryPressure read_memory_pressure(const std::string& root = "");

}  // namespace bitnet::os
