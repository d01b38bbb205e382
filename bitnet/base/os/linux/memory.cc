// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/memory.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bitnet/base/checked.h"
#include "bitnet/base/os/fault.h"

namespace bitnet::os {
namespace {

std::size_t whole_pages(std::size_t bytes) noexcept { return align_up(bytes, kPageBytes); }

// "Name:   123 kB" of a /proc file, in bytes; 0 where it is not there.
std::uint64_t proc_value(const char* file, const char* name) noexcept {
  std::FILE* f = std::fopen(file, "re");
  if (!f) return 0;
  char line[256];
  unsigned long long kib = 0;
  const std::size_t length = std::strlen(name);
  while (std::fgets(line, sizeof line, f))
    if (std::strncmp(line, name, length) == 0 && line[length] == ':') {
      std::sscanf(line + length + 1, "%llu", &kib);
      break;
    }
  std::fclose(f);
  return kib * 1024;
}

// The limit of this process's cgroup (v2, as seen from inside a container); 0 where none is set.
std::uint64_t cgroup_limit() noexcept {
  std::FILE* f = std::fopen("/sys/fs/cgroup/memory.max", "re");
  if (!f) return 0;
  unsigned long long limit = 0;
  if (std::fscanf(f, "%llu", &limit) != 1) limit = 0;
  std::fclose(f);
  return limit;
}

// `bytes` of new mapping at a multiple of `alignment`: more is mapped and the ends cut off.
void* map_aligned(std::size_t bytes, std::size_t alignment, int protection) noexcept {
  if (bytes > SIZE_MAX - alignment - kPageBytes || must_fail(Call::map_memory)) return nullptr;
  const std::size_t size = whole_pages(bytes);
  const std::size_t slack = alignment > kPageBytes ? alignment : 0;
  void* raw = ::mmap(nullptr, size + slack, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  const auto begin = reinterpret_cast<std::uintptr_t>(raw);
  const std::uintptr_t aligned = slack ? align_up(begin, alignment) : begin;
  if (aligned > begin) ::munmap(raw, aligned - begin);
  const std::uintptr_t tail = begin + size + slack - (aligned + size);
  if (tail) ::munmap(reinterpret_cast<void*>(aligned + size), tail);
  return reinterpret_cast<void*>(aligned);
}

}  // namespace

void* reserve_pages(std::size_t bytes, std::size_t alignment) noexcept {
  return map_aligned(bytes, alignment, PROT_NONE);
}

void* map_pages(std::size_t bytes, std::size_t alignment) noexcept {
  const bool huge = bytes >= kHugePageBytes;
  if (huge) alignment = std::max(alignment, kHugePageBytes);
  void* pages = map_aligned(bytes, alignment, PROT_READ | PROT_WRITE);
  if (pages && huge) advise_huge_pages(pages, bytes, true);
  return pages;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
  if (pages) ::munmap(pages, whole_pages(bytes));
}

bool commit_pages(void* pages, std::size_t bytes) noexcept {
  if (must_fail(Call::commit_memory)) return false;
  return ::mprotect(pages, bytes, PROT_READ | PROT_WRITE) == 0;
}

bool purge_pages(void* pages, std::size_t bytes) noexcept {
  return ::madvise(pages, bytes, MADV_DONTNEED) == 0;
}

std::size_t resident_bytes(const void* pages, std::size_t bytes) noexcept {
  unsigned char in_memory[1024];  // one for each page
  std::size_t resident = 0;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t part = std::min(bytes - done, sizeof in_memory * kPageBytes);
    auto* at = const_cast<char*>(static_cast<const char*>(pages)) + done;
    if (::mincore(at, part, in_memory) != 0) return bytes;
    resident +=
        static_cast<std::size_t>(std::count_if(in_memory, in_memory + part / kPageBytes,
                                               [](unsigned char page) { return (page & 1) != 0; }));
    done += part;
  }
  return resident * kPageBytes;
}

void advise_huge_pages(void* pages, std::size_t bytes, bool huge) noexcept {
  ::madvise(pages, whole_pages(bytes), huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

bool move_pages(void* from, void* to, std::size_t bytes) noexcept {
  if (must_fail(Call::move_memory)) return false;
  // DONTUNMAP: `from` stays a mapping of ours; without it another thread's mmap could take the
  // hole.
  return ::mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to;
}

bool forbid_pages(void* pages, std::size_t bytes) noexcept {
  return ::mprotect(pages, bytes, PROT_NONE) == 0;
}

bool lock_pages(void* pages, std::size_t bytes) noexcept {
  return ::mlock2(pages, bytes, MLOCK_ONFAULT) == 0;
}
void unlock_pages(void* pages, std::size_t bytes) noexcept { ::munlock(pages, bytes); }

bool bind_to_numa_node(void* pages, std::size_t bytes, int node) noexcept {
  constexpr int kBind = 2;  // MPOL_BIND of the kernel's mempolicy.h
  constexpr int kBits = 1024;
  if (node < 0 || node >= kBits) return false;
  unsigned long mask[kBits / (8 * sizeof(unsigned long))] = {};
  constexpr int kWord = 8 * sizeof(unsigned long);
  mask[node / kWord] |= 1ul << (node % kWord);
  return ::syscall(SYS_mbind, pages, whole_pages(bytes), kBind, mask, kBits + 1, 0) == 0;
}

MemoryInfo memory_info() noexcept {
  MemoryInfo info;
  info.total_bytes = proc_value("/proc/meminfo", "MemTotal");
  info.available_bytes = proc_value("/proc/meminfo", "MemAvailable");
  info.resident_bytes = proc_value("/proc/self/status", "VmRSS");
  info.peak_resident_bytes = proc_value("/proc/self/status", "VmHWM");
  const std::uint64_t limit = cgroup_limit();
  if (limit && limit < info.total_bytes) {
    info.total_bytes = limit;
    info.available_bytes = std::min(info.available_bytes, limit);
  }
  return info;
}

std::uint64_t coarse_milliseconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

int usable_cpus() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace bitnet::os
