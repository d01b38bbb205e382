// SPDX-License-Identifier: MIT OR Apache-2.0
// jemalloc through its own API, with sized frees.
#pragma once

#include <jemalloc/jemalloc.h>

#include <string_view>

namespace bitnet::bench {

struct Adapter {
  static constexpr const char* kName = "jemalloc";
  static const char* version() { return JEMALLOC_VERSION; }
  static bool start(std::string_view variant) { return variant.empty(); }
  static void* allocate(std::size_t bytes) { return mallocx(bytes, MALLOCX_ALIGN(64)); }
  static void* allocate_natural(std::size_t bytes) { return mallocx(bytes, 0); }
  // jemalloc finds the class of a sized free from size and alignment; every size that the cases
  // ask for naturally is a multiple of 64 and has the same class either way.
  static void deallocate(void* block, std::size_t bytes) {
    sdallocx(block, bytes, MALLOCX_ALIGN(64));
  }
  static void trim() {
    mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: MALLCTL_ARENAS_ALL
  }
};

}  // namespace bitnet::bench
