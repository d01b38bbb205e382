// SPDX-License-Identifier: MIT OR Apache-2.0
// What a device must provide to hold tensors: raw memory and copies. Compute is ops/op_table.h.
#pragma once

#include <cstddef>

#include "bitnet/device/device.h"

namespace bitnet {

/// Implemented once per backend; runtime/backends.cc hands the objects down at start. Thread-safe.
class Driver {
 public:
  virtual ~Driver() = default;

  virtual Device device() const noexcept = 0;

  /// `bytes` > 0 of memory, aligned to `alignment` (a power of two); contents unspecified. nullptr
  /// when out of memory.
  virtual void* allocate(std::size_t bytes, std::size_t alignment) noexcept = 0;
  /// Gives back what allocate() returned; `bytes` and `alignment` as they were there.
  virtual void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept = 0;
};

}  // namespace bitnet
