// SPDX-License-Identifier: MIT OR Apache-2.0
// mimalloc through its own API.
#pragma once

#include <mimalloc.h>

#include <string>
#include <string_view>

namespace bitnet::bench {

struct Adapter {
  static constexpr const char* kName = "mimalloc";
  static const char* version() {
    // 209 is 2.0.9.
    static const std::string text = std::to_string(mi_version() / 100) + "." +
                                    std::to_string(mi_version() / 10 % 10) + "." +
                                    std::to_string(mi_version() % 10);
    return text.c_str();
  }
  static bool start(std::string_view variant) { return variant.empty(); }
  static void* allocate(std::size_t bytes) { return mi_malloc_aligned(bytes, 64); }
  static void* allocate_natural(std::size_t bytes) { return mi_malloc(bytes); }
  static void deallocate(void* block, std::size_t /*bytes*/) { mi_free(block); }
  static void trim() { mi_collect(true); }
};

}  // namespace bitnet::bench
