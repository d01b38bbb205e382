// SPDX-License-Identifier: MIT OR Apache-2.0
// The C library's malloc.
#pragma once

#include <gnu/libc-version.h>
#include <malloc.h>

#include <cstdlib>
#include <string_view>

namespace bitnet::bench {

struct Adapter {
  static constexpr const char* kName = "glibc";
  static const char* version() { return gnu_get_libc_version(); }
  static bool start(std::string_view variant) { return variant.empty(); }
  static void* allocate(std::size_t bytes) {
    return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  }
  static void* allocate_natural(std::size_t bytes) { return std::malloc(bytes); }
  static void deallocate(void* block, std::size_t /*bytes*/) { std::free(block); }
  static void trim() { malloc_trim(0); }
};

}  // namespace bitnet::bench
