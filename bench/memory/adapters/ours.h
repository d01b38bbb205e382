// SPDX-License-Identifier: MIT OR Apache-2.0
// bitnet's pool through its raw front door. Variants: "" and "hardened"; tracking levels are
// switched while it runs (ours_cases.cc).
#pragma once

#include <memory>
#include <string_view>

#include "bitnet/memory/hybrid_pool.h"

namespace bitnet::bench {

struct Adapter {
  static constexpr const char* kName = "ours";
  static const char* version() { return "this commit"; }
  static bool start(std::string_view variant) {
    if (!variant.empty() && variant != "hardened") return false;
    MemoryPoolConfig config = MemoryPoolConfig::machine();
    config.hardened = variant == "hardened";
    use(config);
    pool->set_tracking_level(TrackingLevel::none);
    return true;
  }
  static void* allocate(std::size_t bytes) { return pool->try_allocate_raw(bytes, 64); }
  static void* allocate_natural(std::size_t bytes) { return pool->try_allocate_raw(bytes, 16); }
  static void deallocate(void* block, std::size_t bytes) { pool->deallocate_raw(block, bytes); }
  static void trim() { pool->trim(); }

  /// Makes a pool and leaves the one before as it is: threads may still hold blocks of it.
  static void use(const MemoryPoolConfig& config) { pool = new HybridMemoryPool(config); }
  static inline HybridMemoryPool* pool = nullptr;
};

}  // namespace bitnet::bench
