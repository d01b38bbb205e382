// SPDX-License-Identifier: MIT OR Apache-2.0
// Cycles, instructions and cache misses of the whole process, where the machine lends them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/base/os/perf_counters.h"

namespace bitnet::profile {

/// Sums over threads, of user code. A counter that the processor lacks is absent; all are where
/// `unavailable` says why.
struct HardwareCounts {
  std::optional<std::uint64_t> cycles, instructions, cache_misses;
  int threads = 0;  // that were counted
  /// Part of the time that the counters were on the processor; counts are scaled up by it.
  double running_share = 0.0;
  std::string unavailable = "not asked for";  // empty: counted
};

/// Counts from its construction to read(), in the threads that exist at its construction. Never
/// fails: where counting is impossible, read() says why.
class HardwareCounters {
 public:
  explicit HardwareCounters(os::PerfSystem& system = os::perf_system());
  ~HardwareCounters();
  HardwareCounters(const HardwareCounters&) = delete;
  HardwareCounters& operator=(const HardwareCounters&) = delete;

  HardwareCounts read();

 private:
  // Of one thread. Descriptors in the order of opening, the leader first.
  struct Group {
    std::vector<int> descriptors;
    std::vector<os::PerfEvent> events;
  };
  int open_group(int thread);
  void close_all() noexcept;
  std::string reason(int error) const;

  os::PerfSystem& system_;
  std::vector<Group> groups_;
  std::string unavailable_;
};

}  // namespace bitnet::profile
