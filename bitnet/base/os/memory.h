// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages and what the system knows about memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::os {

inline constexpr std::size_t kPageBytes = 4096;

/// Zeroed pages, `bytes` rounded up to whole pages, aligned to `alignment` (a power of two >=
/// kPageBytes); 2 MiB and more ask for huge pages. nullptr where the system refuses.
void* map_pages(std::size_t bytes, std::size_t alignment) noexcept;
/// Gives pages of map_pages() back; `bytes` as given there.
void unmap_pages(void* pages, std::size_t bytes) noexcept;

struct MemoryInfo {
  std::uint64_t total_bytes = 0;      // of the machine, or the cgroup's limit where that is lower
  std::uint64_t available_bytes = 0;  // without swapping
  std::uint64_t resident_bytes = 0;   // of this process
  std::uint64_t peak_resident_bytes = 0;
};
/// What is not known is 0.
MemoryInfo memory_info() noexcept;

/// CPUs this process may use, at least 1.
int usable_cpus() noexcept;

}  // namespace bitnet::os
