// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests: counts what operator new gives out, to prove that hostile files cannot make a parser
// allocate.
#pragma once

#include <cstddef>

namespace bitnet {

/// Most bytes held at one time since the construction, beyond what was held then. One at a time.
class AllocationMeter {
 public:
  AllocationMeter() noexcept;
  std::size_t peak_bytes() const noexcept;

 private:
  std::size_t start_;
};

}  // namespace bitnet
