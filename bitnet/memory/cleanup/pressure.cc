// SPDX-License-Identifier: MIT OR Apache-2.0
// Cleanup because memory is short, on the machine or under the pool's own limit.
#include "bitnet/memory/cleanup/strategy.h"

namespace bitnet {
namespace {

class PressureStrategy final : public CleanupStrategy {
 public:
  CleanupKind kind() const noexcept override { return CleanupKind::pressure; }

  bool due(const CleanupConfig& config, const CleanupSituation& s) const override {
    if (s.pressure >= config.pressure_cleanup_threshold) return true;
    if (s.pressure < config.thresholds.pressure.light) return false;
    return !s.last_run || s.now - *s.last_run >= config.thresholds.pressure.min_interval;
  }

  void run(const CleanupConfig& config, const CleanupSituation& s, CleanupRun& run) const override {
    const CleanupConfig::PressureThresholds& pressure = config.thresholds.pressure;
    if (s.pressure < pressure.aggressive) {
      run.trim(config.thresholds.age.young);
      return;
    }
    run.trim({});
    run.compact();
    if (s.pressure >= pressure.emergency && config.features.emergency)
      run.compress({});
    else if (config.features.compression)
      run.compress(config.thresholds.age.old);
  }
};

}  // namespace

std::unique_ptr<CleanupStrategy> make_pressure_strategy() {
  return std::make_unique<PressureStrategy>();
}

}  // namespace bitnet
