// SPDX-License-Identifier: MIT OR Apache-2.0
// Where memory lies and ops run, as a value.
#pragma once

#include <cstdint>
#include <string>

namespace bitnet {

enum class DeviceKind : std::uint8_t { cpu, cuda, metal, mlx };

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

/// "cpu", "cuda:1"
std::string to_string(const Device& device);

}  // namespace bitnet
