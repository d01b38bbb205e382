// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cpu_driver.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "bitnet/base/os/memory.h"

namespace bitnet {
namespace {

// Below this a page per block would waste more than it holds.
constexpr std::size_t kMapFrom = 64 * 1024;

}  // namespace

void* CpuDriver::allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes >= kMapFrom) return os::map_pages(bytes, std::max(alignment, os::kPageBytes));
  return ::operator new (bytes, std::align_val_t{alignment}, std::nothrow);
}

void CpuDriver::deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes >= kMapFrom)
    os::unmap_pages(memory, bytes);
  else
    ::operator delete (memory, std::align_val_t{alignment});
}

DeviceMemory CpuDriver::memory() const noexcept {
  const os::MemoryInfo info = os::memory_info();
  return {info.total_bytes, info.available_bytes};
}

void CpuDriver::copy(void* to, const void* from, std::size_t bytes, Stream) {
  if (bytes > 0) std::memmove(to, from, bytes);
}

}  // namespace bitnet
