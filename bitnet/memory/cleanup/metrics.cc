// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/metrics.h"

#include <algorithm>

namespace bitnet {
namespace {

void add_to(CleanupTotals& totals, const CleanupReport& report) {
  ++totals.runs;
  totals.failures += report.error.empty() ? 0u : 1u;
  totals.bytes_returned += report.result.bytes_returned;
  totals.blocks_moved += report.result.blocks_moved;
  totals.blocks_compressed += report.result.blocks_compressed;
  totals.moves_undone += report.result.moves_undone;
  totals.time += report.time;
  totals.longest = std::max(totals.longest, report.time);
}

}  // namespace

void CleanupMetrics::add(const CleanupReport& report) {
  const std::lock_guard lock(mutex_);
  add_to(all_, report);
  add_to(by_kind_[static_cast<std::size_t>(report.kind)], report);
  if (history_.size() == kMaxHistory) history_.pop_front();
  history_.push_back(report);
}

CleanupTotals CleanupMetrics::totals() const {
  const std::lock_guard lock(mutex_);
  return all_;
}

CleanupTotals CleanupMetrics::totals(CleanupKind kind) const {
  const std::lock_guard lock(mutex_);
  return by_kind_[static_cast<std::size_t>(kind)];
}

std::vector<CleanupReport> CleanupMetrics::history() const {
  const std::lock_guard lock(mutex_);
  return {history_.begin(), history_.end()};
}

}  // namespace bitnet
