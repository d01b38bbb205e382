// SPDX-License-Identifier: MIT OR Apache-2.0
// What a pool tells its tracker.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet/memory/metrics.h"

namespace bitnet {

enum class RangeState : std::uint8_t {
  used,        // in live blocks
  free,        // committed, in no live block
  reserved,    // address space without memory
  decommitted  // given back to the system, its addresses kept
};

/// Neighbouring bytes of a pool in the same state. `offset` is from the pool's first address.
struct FragmentationRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  RangeState state = RangeState::free;
};

/// Thread-safe. The tracker calls it from its own thread and from threads that ask for reports,
/// holding a lock of its own that open_ring(), close_ring() and record_*() do not take.
class TrackedPool {
 public:
  virtual ~TrackedPool() = default;
  virtual MemoryMetrics metrics() const = 0;
  /// False where no block that was handed out and not given back begins at `address`. A pool that
  /// cannot tell may say true: the tracker also knows for which frees it has no event.
  virtual bool is_live(std::uint64_t address) const = 0;
  /// Sorted by offset; neighbours of one state may be joined, at most some thousand ranges.
  virtual std::vector<FragmentationRange> fragmentation_map() const = 0;
};

}  // namespace bitnet
