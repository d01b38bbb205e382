// SPDX-License-Identifier: MIT OR Apache-2.0
// gperftools' tcmalloc (minimal: no profilers) through its own API.
#pragma once

#include <gperftools/malloc_extension.h>
#include <gperftools/tcmalloc.h>

#include <string_view>

namespace bitnet::bench {

struct Adapter {
  static constexpr const char* kName = "tcmalloc";
  static const char* version() { return TC_VERSION_STRING; }
  static bool start(std::string_view variant) { return variant.empty(); }
  static void* allocate(std::size_t bytes) { return tc_memalign(64, bytes); }
  static void* allocate_natural(std::size_t bytes) { return tc_malloc(bytes); }
  static void deallocate(void* block, std::size_t /*bytes*/) { tc_free(block); }
  static void trim() { MallocExtension::instance()->ReleaseFreeMemory(); }
};

}  // namespace bitnet::bench
