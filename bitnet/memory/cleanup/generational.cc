// SPDX-License-Identifier: MIT OR Apache-2.0
// Cleanup by age: young memory stays, old memory goes back, ancient blocks are compressed.
#include "bitnet/memory/cleanup/strategy.h"

namespace bitnet {
namespace {

class GenerationalStrategy final : public CleanupStrategy {
 public:
  CleanupKind kind() const noexcept override { return CleanupKind::generational; }

  bool due(const CleanupConfig& config, const CleanupSituation& s) const override {
    const bool anything = s.figures.reclaimable_bytes > 0 ||
                          (config.features.compression && s.figures.live_bytes > 0);
    return anything && (!s.last_run || s.now - *s.last_run >= config.thresholds.age.young);
  }

  void run(const CleanupConfig& config, const CleanupSituation& s, CleanupRun& run) const override {
    run.trim(config.thresholds.age.old);
    if (config.features.compression && s.figures.live_bytes > 0)
      run.compress(config.thresholds.age.ancient);
  }
};

}  // namespace

std::unique_ptr<CleanupStrategy> make_generational_strategy() {
  return std::make_unique<GenerationalStrategy>();
}

}  // namespace bitnet
