// SPDX-License-Identifier: MIT OR Apache-2.0
// Cleanup from time to time, as far as the figures ask for it.
#include "bitnet/memory/cleanup/strategy.h"

namespace bitnet {
namespace {

class PeriodicStrategy final : public CleanupStrategy {
 public:
  CleanupKind kind() const noexcept override { return CleanupKind::periodic; }

  bool due(const CleanupConfig& config, const CleanupSituation& s) const override {
    const CleanupFigures& f = s.figures;
    const bool poorly_used =
        static_cast<double>(f.live_bytes) <
        config.thresholds.size.utilization * static_cast<double>(f.committed_bytes);
    return f.reclaimable_bytes >= config.thresholds.size.total_bytes ||
           (poorly_used && f.reclaimable_bytes > 0) ||
           f.fragmentation >= config.thresholds.fragmentation.compact;
  }

  void run(const CleanupConfig& config, const CleanupSituation& s, CleanupRun& run) const override {
    const bool much = s.figures.reclaimable_bytes >= config.thresholds.size.total_bytes;
    run.trim(much ? CleanupClock::duration::zero()
                  : CleanupClock::duration(config.thresholds.age.young));
    if (s.figures.fragmentation >= config.thresholds.fragmentation.compact) run.compact();
  }
};

}  // namespace

std::unique_ptr<CleanupStrategy> make_periodic_strategy() {
  return std::make_unique<PeriodicStrategy>();
}

}  // namespace bitnet
