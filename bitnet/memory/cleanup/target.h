// SPDX-License-Identifier: MIT OR Apache-2.0
// What a pool lets cleanup do to it. HybridMemoryPool implements it; each call really returns
// memory to the system or device, and says how much.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "bitnet/device/device.h"

namespace bitnet {

using CleanupClock = std::chrono::steady_clock;

/// What a strategy decides on.
struct CleanupFigures {
  std::uint64_t live_bytes = 0;
  std::uint64_t committed_bytes = 0;    // held from the system on every device
  std::uint64_t reclaimable_bytes = 0;  // committed and in no live block: a trim could return them
  std::uint64_t limit_bytes = 0;        // 0: none
  double fragmentation = 0.0;           // 1 - live / committed of the small blocks
  std::chrono::milliseconds idle{0};    // since the last slow path (memory taken or given back)
};

struct TrimRequest {
  std::optional<Device> device;          // none: every device
  std::chrono::milliseconds min_age{0};  // free memory that was freed at least so long ago
  std::uint64_t max_bytes = UINT64_MAX;  // stop once so much was returned
  std::uint64_t min_block_bytes = 0;     // leave smaller free ranges alone
  CleanupClock::time_point deadline = CleanupClock::time_point::max();
};

struct CompactRequest {
  std::uint64_t max_blocks = UINT64_MAX;
  bool validate = false;  // compare each moved block with its source; a difference undoes the move
  CleanupClock::time_point deadline = CleanupClock::time_point::max();
};

struct CompressRequest {
  std::chrono::milliseconds min_age{0};  // since the block was last pinned
  std::uint64_t min_block_bytes = 4096;
  std::uint64_t max_blocks = UINT64_MAX;
  CleanupClock::time_point deadline = CleanupClock::time_point::max();
};

struct CleanupResult {
  std::uint64_t bytes_returned = 0;  // to the system or device
  std::uint64_t blocks_moved = 0;
  std::uint64_t bytes_moved = 0;
  std::uint64_t blocks_compressed = 0;
  std::uint64_t moves_undone = 0;
  bool complete = true;  // false: the deadline or a maximum came first
};

/// Thread-safe.
class CleanupTarget {
 public:
  virtual ~CleanupTarget() = default;
  virtual CleanupFigures cleanup_figures(std::optional<Device> device = {}) const = 0;
  /// All but the host.
  virtual std::vector<Device> cleanup_devices() const = 0;
  virtual CleanupResult trim(const TrimRequest& request) = 0;
  /// Moves live movable blocks out of sparse memory and returns what becomes empty.
  virtual CleanupResult compact(const CompactRequest& request) = 0;
  /// Compresses movable blocks that nobody has pinned for `min_age`.
  virtual CleanupResult compress(const CompressRequest& request) = 0;
  /// Walks all metadata (and canaries in the hardened mode). Throws Error{internal} naming the
  /// first damage.
  virtual void validate() const = 0;
};

}  // namespace bitnet
