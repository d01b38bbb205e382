// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/device_pools.h"

#include <string>

#include "bitnet/base/error.h"

namespace bitnet::memory {

void DevicePools::add(std::unique_ptr<Driver> driver, std::uint64_t max_bytes) {
  const std::lock_guard lock(mutex_);
  const Device device = driver->device();
  if (device == Device{} || number(device) != 0)
    fail(Errc::invalid_argument,
         "HybridMemoryPool: " + to_string(device) + " has a driver already");
  if (size() == kMaxDevices)
    fail(Errc::unsupported,
         "HybridMemoryPool: " + std::to_string(kMaxDevices) + " devices are the most");
  const auto next = static_cast<std::uint16_t>(size() + 1);
  pools_[next] = std::make_unique<DevicePool>(std::move(driver), max_bytes);
  size_.store(next, std::memory_order_release);
}

std::uint16_t DevicePools::number(Device device) const noexcept {
  for (std::uint16_t n = 1; n <= size(); ++n)
    if (pools_[n]->device() == device) return n;
  return 0;
}

bool DevicePools::owns(const void* block) const noexcept {
  for (std::uint16_t n = 1; n <= size(); ++n)
    if (pools_[n]->owns(block)) return true;
  return false;
}

}  // namespace bitnet::memory
