// SPDX-License-Identifier: MIT OR Apache-2.0
// What a pool counts about itself.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet/device/device.h"

namespace bitnet {

/// One part of a pool: the small blocks, the large blocks, or the blocks of one device.
struct PartMetrics {
  std::uint64_t live_bytes = 0;       // in blocks that are handed out, the blocks' own sizes
  std::uint64_t committed_bytes = 0;  // taken from the system or device and not given back
  std::uint64_t peak_committed_bytes = 0;
  std::uint64_t free_bytes = 0;          // address space or segments a block could come from
  std::uint64_t largest_free_bytes = 0;  // the largest block that could be served from it
  std::uint64_t limit_bytes = 0;         // 0: none

  /// 1 - largest free / all free: 0 where one block could have it all, near 1 in small pieces.
  double fragmentation() const noexcept {
    return free_bytes == 0
               ? 0.0
               : 1.0 - static_cast<double>(largest_free_bytes) / static_cast<double>(free_bytes);
  }
};

struct DeviceMetrics {
  Device device{};
  std::uint64_t live_blocks = 0;
  std::uint64_t live_bytes = 0;  // as asked for
  std::uint64_t peak_bytes = 0;
  std::uint64_t failed_allocations = 0;
  PartMetrics memory{};
};

/// One size class of the small blocks.
struct ClassMetrics {
  std::uint32_t block_bytes = 0;
  std::uint64_t live_blocks = 0;
  std::uint64_t allocations = 0;  // since the pool began; counted from TrackingLevel::standard up
};

/// What the steps of the way out of memory pressure did (hybrid_pool.h, "Out of memory").
struct PressureSteps {
  std::uint64_t trims = 0, trimmed_bytes = 0;
  std::uint64_t compactions = 0, moved_blocks = 0, compacted_bytes = 0;
  std::uint64_t compressions = 0, compressed_blocks = 0, compressed_saved_bytes = 0;
  std::uint64_t callbacks = 0;
  std::uint64_t failures = 0;  // steps were not enough: out_of_memory
};

/// Blocks whose bytes are packed because nobody has used them for a while.
struct CompressionMetrics {
  std::uint64_t blocks = 0;                             // packed now
  std::uint64_t bytes_before = 0, bytes_after = 0;      // of these, unpacked and packed
  std::uint64_t packed = 0, refused = 0, unpacked = 0;  // since the pool began
  std::uint64_t compress_ns = 0, decompress_ns = 0;     // the same

  double ratio() const noexcept {
    return bytes_after == 0 ? 1.0
                            : static_cast<double>(bytes_before) / static_cast<double>(bytes_after);
  }
};

/// Counts since construction. Bytes are as asked for, unless a field says otherwise.
struct MemoryMetrics {
  std::uint64_t live_bytes = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t live_blocks = 0;
  std::uint64_t total_allocations = 0;
  std::uint64_t total_bytes = 0;  // of all allocations
  std::uint64_t failed_allocations = 0;
  std::uint64_t waste_bytes = 0;     // inside live blocks, by rounding up to their class
  std::uint64_t metadata_bytes = 0;  // the pool's own, resident
  PartMetrics small, large;
  std::vector<DeviceMetrics> devices;  // the CPU first
  std::vector<ClassMetrics> classes;   // with a block since the pool began
  PressureSteps pressure;
  CompressionMetrics compression;
};

}  // namespace bitnet
