// SPDX-License-Identifier: MIT OR Apache-2.0
// What the cases need from the system.
#include "bench/memory/harness.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <new>

namespace bitnet::bench {
namespace {

class Pages final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override {
    void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    return block;
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t /*alignment*/) override {
    munmap(block, bytes);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

std::pmr::memory_resource* pages() noexcept {
  static Pages resource;
  return &resource;
}

std::size_t resident_bytes() {
  // "total resident …" in pages; read without stdio, which allocates.
  static const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128];
  const ssize_t length = pread(file, text, sizeof text, 0);
  if (length <= 0) return 0;
  const char* end = text + length;
  const char* resident = std::find<const char*>(text, end, ' ');
  std::size_t count = 0;
  if (resident != end) std::from_chars(resident + 1, end, count);
  return count * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void emit(std::string_view metric, double value, std::string_view unit) {
  std::printf("{\"metric\":\"%.*s\",\"value\":%.4f,\"unit\":\"%.*s\"}\n",
              static_cast<int>(metric.size()), metric.data(), value, static_cast<int>(unit.size()),
              unit.data());
  std::fflush(stdout);
}

}  // namespace bitnet::bench
