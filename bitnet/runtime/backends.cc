// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/backends.h"

#include <array>

#include "bitnet/backend/cpu/op_table.h"

namespace bitnet {

std::span<const Backend> backends() noexcept {
  static constexpr std::array kBackends{Backend{"cpu", {DeviceKind::cpu, 0}, cpu::op_table}};
  return kBackends;
}

}  // namespace bitnet
