// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/device/device.h"

namespace bitnet {

std::string to_string(const Device& device) {
  constexpr const char* kNames[] = {"cpu", "cuda", "metal", "mlx"};
  const std::string name = kNames[static_cast<int>(device.kind)];
  return device.kind == DeviceKind::cpu ? name : name + ":" + std::to_string(device.index);
}

}  // namespace bitnet
