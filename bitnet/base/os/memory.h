// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages and what the system knows about memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::os {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kHugePageBytes = 2u << 20;

/// Zeroed pages, `bytes` rounded up to whole pages, aligned to `alignment` (a power of two >=
/// kPageBytes); 2 MiB and more ask for huge pages. nullptr where the system refuses.
void* map_pages(std::size_t bytes, std::size_t alignment) noexcept;
/// Gives pages of map_pages() or reserve_pages() back; `bytes` as given there.
void unmap_pages(void* pages, std::size_t bytes) noexcept;

/// Address space that holds nothing and may not be touched until commit_pages(). `bytes` and
/// `alignment` as in map_pages(). nullptr where the system refuses.
void* reserve_pages(std::size_t bytes, std::size_t alignment) noexcept;
/// Makes reserved pages usable; they read as zeros and take memory when written. False where the
/// system refuses.
bool commit_pages(void* pages, std::size_t bytes) noexcept;
/// Gives the memory of whole pages back and keeps their addresses: they read as zeros again.
bool purge_pages(void* pages, std::size_t bytes) noexcept;
/// How many of these bytes of whole pages are in memory; all of them where the system cannot tell.
std::size_t resident_bytes(const void* pages, std::size_t bytes) noexcept;
/// Whether the pages are backed by huge pages is a wish that a system may ignore.
void advise_huge_pages(void* pages, std::size_t bytes, bool huge) noexcept;
/// Moves the memory of whole pages from `from` to `to`, both committed and apart; `from` reads as
/// zeros afterwards. False where the system cannot: nothing has changed then.
bool move_pages(void* from, void* to, std::size_t bytes) noexcept;
/// Accesses of these whole pages end the process from now on.
bool forbid_pages(void* pages, std::size_t bytes) noexcept;
/// Keeps pages out of swap from when they are first written. Locked pages cannot be purged. False
/// where a limit (RLIMIT_MEMLOCK) forbids it.
bool lock_pages(void* pages, std::size_t bytes) noexcept;
void unlock_pages(void* pages, std::size_t bytes) noexcept;
/// Pages touched from now on come from the memory of `node`. False where the machine has no such
/// node.
bool bind_to_numa_node(void* pages, std::size_t bytes, int node) noexcept;

struct MemoryInfo {
  std::uint64_t total_bytes = 0;      // of the machine, or the cgroup's limit where that is lower
  std::uint64_t available_bytes = 0;  // without swapping
  std::uint64_t resident_bytes = 0;   // of this process
  std::uint64_t peak_resident_bytes = 0;
};
/// What is not known is 0.
MemoryInfo memory_info() noexcept;

/// Milliseconds of a clock that never goes back and takes steps of a few; a read costs about 5 ns.
std::uint64_t coarse_milliseconds() noexcept;

/// CPUs this process may use, at least 1.
int usable_cpus() noexcept;

}  // namespace bitnet::os
