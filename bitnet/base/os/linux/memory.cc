// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/memory.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace bitnet::os {
namespace {

constexpr std::size_t kHugeBytes = 2u << 20;

std::size_t whole_pages(std::size_t bytes) noexcept {
  return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}

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

}  // namespace

void* map_pages(std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes > SIZE_MAX - alignment - kPageBytes) return nullptr;
  const std::size_t size = whole_pages(bytes);
  if (size >= kHugeBytes) alignment = std::max(alignment, kHugeBytes);
  const std::size_t slack = alignment > kPageBytes ? alignment : 0;
  void* raw =
      ::mmap(nullptr, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto begin = reinterpret_cast<std::uintptr_t>(raw);
  const std::uintptr_t aligned = (begin + alignment - 1) & ~(alignment - 1);
  if (aligned > begin) ::munmap(raw, aligned - begin);
  const std::uintptr_t tail = begin + size + slack - (aligned + size);
  if (slack && tail) ::munmap(reinterpret_cast<void*>(aligned + size), tail);
  void* pages = reinterpret_cast<void*>(slack ? aligned : begin);
  if (size >= kHugeBytes) ::madvise(pages, size, MADV_HUGEPAGE);
  return pages;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
  if (pages) ::munmap(pages, whole_pages(bytes));
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

int usable_cpus() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace bitnet::os
