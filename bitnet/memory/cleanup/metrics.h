// SPDX-License-Identifier: MIT OR Apache-2.0
// What each run of cleanup did.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "bitnet/memory/cleanup/config.h"
#include "bitnet/memory/cleanup/target.h"

namespace bitnet {

/// One run of one strategy.
struct CleanupReport {
  CleanupKind kind = CleanupKind::idle;
  bool manual = false;
  std::chrono::nanoseconds time{0};
  CleanupResult result;
  double fragmentation_before = 0.0, fragmentation_after = 0.0;
  std::uint64_t committed_before = 0, committed_after = 0;  // bytes
  std::string error;                                        // what was thrown; empty: it succeeded
};

struct CleanupTotals {
  std::uint64_t runs = 0, failures = 0;
  std::uint64_t bytes_returned = 0, blocks_moved = 0, blocks_compressed = 0, moves_undone = 0;
  std::chrono::nanoseconds time{0}, longest{0};
};

/// Totals since the beginning and the last runs. Thread-safe.
class CleanupMetrics {
 public:
  static constexpr std::size_t kMaxHistory = 1000;

  void add(const CleanupReport& report);
  CleanupTotals totals() const;
  CleanupTotals totals(CleanupKind kind) const;
  /// Oldest first.
  std::vector<CleanupReport> history() const;

 private:
  mutable std::mutex mutex_;
  CleanupTotals all_;
  std::array<CleanupTotals, kCleanupKinds> by_kind_;
  std::deque<CleanupReport> history_;
};

}  // namespace bitnet
