// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks from 1 MiB on: whole units of arenas by buddies; beyond an arena, mappings of their own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

#include "bitnet/memory/arenas.h"
#include "bitnet/memory/small_block_pool.h"

namespace bitnet::memory {

using LargeBlock = UnitRange;

/// Thread-safe.
class LargeBlockPool {
 public:
  /// `kinds[u]` describes unit u of the arenas. Throws Error{out_of_memory}.
  LargeBlockPool(const Arenas::Config& config, Metadata& metadata, Footprint& footprint,
                 UnitKinds kinds);
  ~LargeBlockPool();
  LargeBlockPool(const LargeBlockPool&) = delete;
  LargeBlockPool& operator=(const LargeBlockPool&) = delete;

  /// `units` up to kArenaUnits at a multiple of `align` units. kNoUnit when out of memory.
  std::uint32_t take(std::uint32_t units, std::uint32_t align, Buddy::From from) noexcept;
  /// Up to `count` blocks of `units` in dirty memory; how many there were.
  std::uint32_t take_some(std::uint32_t units, LargeBlock* blocks, std::uint32_t count) noexcept;
  /// Blocks of `units` that other threads gave back lately; how many of `count` there were.
  std::uint32_t take_recent(std::uint32_t units, LargeBlock* blocks, std::uint32_t count) noexcept;
  void give(const LargeBlock* blocks, std::uint32_t count) noexcept;
  /// Puts what take_recent() would give back among the buddies. Whether there was any.
  bool flush() noexcept;

  /// A mapping of its own. nullptr when out of memory or at the limit.
  std::byte* map(std::size_t bytes, std::size_t alignment) noexcept;
  /// Its bytes, 0 where `block` is none; then it is gone.
  std::size_t unmap(const void* block) noexcept;
  std::size_t mapped_size(const void* block) const noexcept;

  /// Units of the block at `unit`, and its kind while nobody holds it.
  std::uint32_t units_at(std::uint32_t unit) const noexcept { return units_[unit]; }
  void set_live(std::uint32_t unit, bool live) noexcept {
    kinds_[unit].store(live ? kLargeBlock : kNoBlock, std::memory_order_relaxed);
  }

  /// Moves a live block to the lowest address that is free for it and lower than it is; its new
  /// first unit, or kNoUnit where there is none. Nobody may use the block meanwhile.
  std::uint32_t move_down(std::uint32_t unit) noexcept;

  Arenas& arenas() noexcept { return arenas_; }
  const Arenas& arenas() const noexcept { return arenas_; }
  std::uint64_t mapped_bytes() const noexcept {
    return mapped_bytes_.load(std::memory_order_relaxed);
  }
  std::uint64_t peak_mapped_bytes() const noexcept {
    return peak_mapped_bytes_.load(std::memory_order_relaxed);
  }
  /// Throws Error{internal} where records contradict each other.
  void validate() const;
  void lock_all() noexcept;
  void unlock_all() noexcept;

 private:
  static constexpr std::uint32_t kMaxRecent = 16;

  UnitKinds kinds_;
  Arenas arenas_;
  PageOptions pages_;
  std::uint32_t* units_ = nullptr;  // [units], set at a block's first unit
  AdaptiveMutex recent_mutex_;
  std::array<LargeBlock, kMaxRecent> recent_;
  std::atomic<std::uint32_t> num_recent_{0};
  mutable std::mutex mapped_mutex_;
  std::map<std::uintptr_t, std::size_t> mapped_;
  std::atomic<std::uint64_t> mapped_bytes_{0}, peak_mapped_bytes_{0};
};

}  // namespace bitnet::memory
