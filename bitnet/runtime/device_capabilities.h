// SPDX-License-Identifier: MIT OR Apache-2.0
// What a device can do, told and measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitnet/base/thread_pool.h"
#include "bitnet/device/device.h"

namespace bitnet {

struct DeviceCapabilities {
  Device device;
  std::string name;     // "AMD EPYC 9B45"
  std::string backend;  // "cpu/avx512vnni"
  int cores = 0;        // CPUs that this process may use
  std::uint64_t memory_bytes = 0, available_bytes = 0;
  std::int64_t cache_bytes[3]{};  // of levels 1 to 3; 0: unknown
  bool supports_cuda = false, supports_metal = false, supports_mlx = false;
  std::vector<std::string> features;  // instruction sets: "avx2", "avx512vnni", …

  // Of all cores together; 0 where not measured or not known.
  double memory_bandwidth_gbps = 0;  // reading, in 10^9 bytes a second
  double float_gflops = 0, int8_gops = 0;

  /// Measures too, below half a second with `threads`. Throws Error{unsupported} for a device that
  /// this build has no backend for.
  static DeviceCapabilities for_device(const Device& device, ThreadPool& threads);
  /// With threads of its own, one for each CPU.
  static DeviceCapabilities for_device(const Device& device);
  /// What needs no measurement.
  static DeviceCapabilities described(const Device& device);
};

/// The device of the best backend of this build.
Device auto_select_device() noexcept;

}  // namespace bitnet
