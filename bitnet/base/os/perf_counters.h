// SPDX-License-Identifier: MIT OR Apache-2.0
// The processor's event counters, as the system lends them: thread by thread, in groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitnet::os {

enum class PerfEvent : std::uint8_t { cycles, instructions, cache_misses };

/// The calls; tests bring their own. Nothing throws: a negative result is -errno.
class PerfSystem {
 public:
  virtual ~PerfSystem() = default;
  /// The threads of this process.
  virtual std::vector<int> threads() = 0;
  /// A counter of user code of `thread`, stopped; in the group of the descriptor `group`, or -1 for
  /// a group of its own. Returns a descriptor.
  virtual int open(PerfEvent event, int thread, int group) = 0;
  /// Starts or stops a whole group.
  virtual int enable(int group, bool on) = 0;
  /// Of a group: number of its counters, nanoseconds enabled, nanoseconds running, then the counts
  /// in the order of their opening. Returns the words written to `words`.
  virtual int read(int group, std::span<std::uint64_t> words) = 0;
  virtual void close(int descriptor) = 0;
  /// /proc/sys/kernel/perf_event_paranoid; a number above 2 forbids it, -100 where it is not known.
  virtual int paranoia() = 0;
};

/// perf_event_open(2) and its like.
PerfSystem& perf_system() noexcept;

}  // namespace bitnet::os
