// SPDX-License-Identifier: MIT OR Apache-2.0
// Cleanup while nobody allocates: the longer that lasts, the more goes.
#include "bitnet/memory/cleanup/strategy.h"

namespace bitnet {
namespace {

class IdleStrategy final : public CleanupStrategy {
 public:
  CleanupKind kind() const noexcept override { return CleanupKind::idle; }

  bool due(const CleanupConfig& config, const CleanupSituation& s) const override {
    if (s.figures.idle < config.thresholds.idle.min || s.figures.reclaimable_bytes == 0)
      return false;
    return !s.last_run || s.now - *s.last_run >= config.idle_cleanup_interval;
  }

  void run(const CleanupConfig& config, const CleanupSituation& s, CleanupRun& run) const override {
    const CleanupConfig::IdleThresholds& idle = config.thresholds.idle;
    if (s.figures.idle >= idle.aggressive) {
      run.trim({});
      if (s.figures.fragmentation >= config.thresholds.fragmentation.defragment) run.compact();
    } else if (s.figures.idle >= idle.light) {
      run.trim(config.thresholds.age.min_age);
    } else {
      run.trim(config.thresholds.age.young);
    }
  }
};

}  // namespace

std::unique_ptr<CleanupStrategy> make_idle_strategy() { return std::make_unique<IdleStrategy>(); }

}  // namespace bitnet
