// SPDX-License-Identifier: MIT OR Apache-2.0
// The only place that knows which backends this build has.
#pragma once

#include <span>
#include <string_view>

#include "bitnet/device/device.h"
#include "bitnet/ops/op_table.h"

namespace bitnet {

struct Backend {
  std::string_view name;  // "cpu"
  Device device;
  const OpTable& (
      *op_table)();  // throws Error{unsupported} where BITNET_ISA asks for what the CPU lacks
};

/// The backends of this build, best first.
std::span<const Backend> backends() noexcept;

}  // namespace bitnet
