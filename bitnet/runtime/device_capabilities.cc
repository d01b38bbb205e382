// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/device_capabilities.h"

#include "bitnet/backend/cpu/measured_limits.h"
#include "bitnet/base/error.h"
#include "bitnet/base/isa.h"
#include "bitnet/base/os/cpu_cache.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/runtime/backends.h"

namespace bitnet {
namespace {

const Backend& backend_of(const Device& device) {
  for (const Backend& backend : backends())
    if (backend.device == device) return backend;
  fail(Errc::unsupported, "DeviceCapabilities: this build has no backend for " + to_string(device));
}

}  // namespace

DeviceCapabilities DeviceCapabilities::described(const Device& device) {
  const Backend& backend = backend_of(device);
  DeviceCapabilities caps;
  caps.device = device;
  caps.name = isa::cpu_name();
  caps.backend = backend.op_table().name;
  caps.cores = os::usable_cpus();
  const os::MemoryInfo memory = os::memory_info();
  caps.memory_bytes = memory.total_bytes;
  caps.available_bytes = memory.available_bytes;
  for (int level = 1; level <= 3; ++level) caps.cache_bytes[level - 1] = os::cache_bytes(level);
  for (const Backend& other : backends()) {
    caps.supports_cuda = caps.supports_cuda || other.device.kind == DeviceKind::cuda;
    caps.supports_metal = caps.supports_metal || other.device.kind == DeviceKind::metal;
    caps.supports_mlx = caps.supports_mlx || other.device.kind == DeviceKind::mlx;
  }
  const isa::Mask detected = isa::detect();
  for (const isa::Level& level : isa::levels())
    if (level.allows != isa::kNone && isa::has(detected, level.allows))
      caps.features.emplace_back(level.name);
  return caps;
}

DeviceCapabilities DeviceCapabilities::for_device(const Device& device, ThreadPool& threads) {
  DeviceCapabilities caps = described(device);
  const profile::Roof roof = cpu::measure_roof(threads);
  caps.memory_bandwidth_gbps = roof.read_bytes_per_second / 1e9;
  caps.float_gflops = roof.float_ops_per_second / 1e9;
  caps.int8_gops = roof.int8_ops_per_second / 1e9;
  return caps;
}

DeviceCapabilities DeviceCapabilities::for_device(const Device& device) {
  ThreadPool threads;
  return for_device(device, threads);
}

Device auto_select_device() noexcept { return backends().front().device; }

}  // namespace bitnet
