// SPDX-License-Identifier: MIT OR Apache-2.0
// A kernel family's table: dispatcher, test list and benchmark list in one.
#pragma once

#include <span>
#include <string_view>

#include "bitnet/base/isa.h"

namespace bitnet::cpu {

template <class Fn>
struct Kernel {
  std::string_view name;  // of the ISA: "avx2", "reference"
  isa::Mask needs;
  Fn* run;
};

/// The first row, best first, whose instructions are all in `mask`. Every table ends with a
/// reference that needs none.
template <class Fn>
const Kernel<Fn>& choose(std::span<const Kernel<Fn>> table, isa::Mask mask) noexcept {
  for (const Kernel<Fn>& kernel : table)
    if (isa::has(mask, kernel.needs)) return kernel;
  return table.back();
}

}  // namespace bitnet::cpu
