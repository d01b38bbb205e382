// SPDX-License-Identifier: MIT OR Apache-2.0
// Cleanup of devices: segments that nobody uses go back to their driver.
#include "bitnet/memory/cleanup/strategy.h"

namespace bitnet {
namespace {

class DeviceStrategy final : public CleanupStrategy {
 public:
  CleanupKind kind() const noexcept override { return CleanupKind::device; }

  bool due(const CleanupConfig& config, const CleanupSituation& s) const override {
    return !s.devices.empty() &&
           (!s.last_run || s.now - *s.last_run >= config.scheduler.device_interval);
  }

  void run(const CleanupConfig& config, const CleanupSituation& s, CleanupRun& run) const override {
    for (const Device device : s.devices) {
      // The largest segments first: they are what another process waits for.
      run.trim(config.thresholds.age.young, device, config.thresholds.size.large_bytes);
      run.trim(config.thresholds.age.old, device);
    }
  }
};

}  // namespace

std::unique_ptr<CleanupStrategy> make_device_strategy() {
  return std::make_unique<DeviceStrategy>();
}

}  // namespace bitnet
