// SPDX-License-Identifier: MIT OR Apache-2.0
// Every kernel of this CPU against its reference, on random data: for users whose machine, compiler
// or build is in doubt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bitnet::cpu {

struct KernelCheck {
  std::string_view family;  // "ternary_linear"
  std::string_view isa;     // "avx512vnni", "reference"
  bool available = false;   // this CPU has the instructions
  bool chosen = false;      // the one that is used (isa::active())
  bool ok = false;          // false where not available
  std::string detail;       // what differs
};

/// All kernels of all families, best first. Takes some tens of milliseconds. Throws
/// Error{unsupported, invalid_argument} as isa::active().
std::vector<KernelCheck> self_test();

}  // namespace bitnet::cpu
