// SPDX-License-Identifier: MIT OR Apache-2.0
// The CPU as a device that holds memory.
#pragma once

#include "bitnet/device/driver.h"

namespace bitnet {

/// Blocks of a page and more are mapped pages (huge pages from 2 MiB), smaller ones come from
/// operator new.
class CpuDriver final : public Driver {
 public:
  Device device() const noexcept override { return {}; }
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override;
  void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept override;
  DeviceMemory memory() const noexcept override;
  void copy(void* to, const void* from, std::size_t bytes, Stream stream) override;
};

}  // namespace bitnet
