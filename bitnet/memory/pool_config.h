// SPDX-License-Identifier: MIT OR Apache-2.0
// How a pool is to be made.
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/memory/cleanup/config.h"
#include "bitnet/memory/tracking/config.h"

namespace bitnet {

struct MemoryPoolConfig {
  /// Address space that is made usable when the pool begins, in arenas of 256 MiB; the rest when
  /// it is needed. Memory is taken when a block is first written.
  std::uint64_t initial_small_bytes = 64ull << 20;
  std::uint64_t initial_large_bytes = 128ull << 20;
  /// Hard limits of memory in spans (blocks below 1 MiB) and in large blocks on the host.
  std::uint64_t max_small_bytes = 512ull << 20;
  std::uint64_t max_large_bytes = 2ull << 30;
  /// Hard limit of live bytes of handles over all devices, as asked for; 0: none.
  std::uint64_t max_bytes = 0;
  /// Hard limit of the memory taken from each further device; 0: what the device has.
  std::uint64_t max_device_bytes = 0;

  bool huge_pages = true;             // for large blocks, where the system has them
  bool lock_memory = false;           // out of swap, as far as RLIMIT_MEMLOCK allows
  std::optional<int> numa_node = {};  // host memory comes from this node

  /// Frees are checked: a double or foreign free, or a write past the end, is found when a block is
  /// given back; about 2.3 times the time of a pair.
  bool hardened = false;
  /// Hardened: one small block of so many ends at a page that nobody may touch; 0: none.
  std::uint32_t guard_interval = 10'000;

  /// A tracker with a thread of its own. Without it the level is `basic` and there are no events.
  bool enable_advanced_tracking = false;
  std::optional<TrackingConfig> tracking_config = {};  // none: TrackingConfig{}
  /// A cleanup thread. Manual cleanup works without it.
  bool enable_automatic_cleanup = false;
  std::optional<CleanupConfig> cleanup_config = {};  // none: CleanupConfig{}

  /// Limits as large as the machine's memory.
  static MemoryPoolConfig machine();
  /// Throws Error{invalid_argument} naming field, value and range.
  void validate() const;
};

}  // namespace bitnet
