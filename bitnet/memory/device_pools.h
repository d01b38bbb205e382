// SPDX-License-Identifier: MIT OR Apache-2.0
// The pools of all devices but the host, found by device or by number.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "bitnet/memory/device_pool.h"

namespace bitnet::memory {

/// Numbers go from 1; 0 stands for the host. Thread-safe; pools are added, never removed.
class DevicePools {
 public:
  static constexpr std::uint16_t kMaxDevices = 64;

  /// Throws Error: invalid_argument where the device has a pool, unsupported beyond kMaxDevices.
  void add(std::unique_ptr<Driver> driver, std::uint64_t max_bytes);

  std::uint16_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  DevicePool& at(std::uint16_t number) const noexcept { return *pools_[number]; }
  /// The host for 0.
  Device device(std::uint16_t number) const noexcept {
    return number == 0 ? Device{} : pools_[number]->device();
  }
  /// 0 where the device has no pool, and for the host.
  std::uint16_t number(Device device) const noexcept;
  bool owns(const void* block) const noexcept;

 private:
  std::mutex mutex_;
  std::array<std::unique_ptr<DevicePool>, kMaxDevices + 1> pools_;
  std::atomic<std::uint16_t> size_{0};
};

}  // namespace bitnet::memory
