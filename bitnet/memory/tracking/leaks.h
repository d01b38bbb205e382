// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks that may have been forgotten.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "bitnet/memory/tracking/lifetimes.h"
#include "bitnet/memory/tracking/live_table.h"
#include "bitnet/memory/tracking/patterns.h"
#include "bitnet/memory/tracking/tracked_pool.h"

namespace bitnet {

struct LeakCandidate {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::uint64_t age_ms = 0;
  std::uint16_t tag = 0;
  std::uint32_t site = 0;  // 0: its stack was not taken
  /// Ten times older than 99 % of the tag's blocks became, of at least 100.
  bool outlived = false;
};

/// The candidates of one site and tag.
struct LeakGroup {
  std::uint32_t site = 0;
  std::uint16_t tag = 0;
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t oldest_ms = 0;
  std::uint64_t outlived = 0;  // blocks
  bool grows = false;          // the tag's live bytes rise and do not fall (patterns.h)
};

struct LeakReport {
  static constexpr std::size_t kMostCandidates = 200;
  std::uint64_t time_ms = 0;  // of the search, since the tracker began
  std::uint64_t min_age_ms = 0;
  std::uint64_t blocks = 0;  // all that were found
  std::uint64_t bytes = 0;
  std::vector<LeakCandidate> candidates;  // the largest
  std::vector<LeakGroup> groups;          // by bytes, the largest first
  /// Live blocks of the pool that have no entry: not sampled, allocated at a lower level, or their
  /// events were lost. Absent without a pool.
  std::optional<std::uint64_t> unseen_blocks;
};

/// Searches for live blocks of at least `min_age`. Each is verified with the pool; entries that it
/// says are free (their event was lost) are put into `dead`.
LeakReport find_leaks(const LiveTable& live, std::uint64_t now_ms,
                      std::chrono::milliseconds min_age, const TrackedPool* pool,
                      const Lifetimes& lifetimes, const PatternFinder& patterns,
                      std::vector<LiveBlock>& dead);

}  // namespace bitnet
