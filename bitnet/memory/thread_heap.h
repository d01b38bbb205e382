// SPDX-License-Identifier: MIT OR Apache-2.0
// What a thread has at hand of a pool: a magazine of blocks for each size class, a few large
// blocks, its own counters. Only the thread itself touches it, so nothing here is locked.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "bitnet/memory/large_block_pool.h"
#include "bitnet/memory/size_classes.h"
#include "bitnet/memory/tracking/event_ring.h"

namespace bitnet::memory {

/// A counter that one thread writes and any may read. No locked instruction: the sum of a read may
/// miss what happens meanwhile, never what happened before.
class OwnCounter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Addresses of free blocks, last in first out. They are kept here, not in the blocks: a block that
/// nobody holds is never read or written.
struct Magazine {
  void** top;  // behind the last
  void** base;
  void** limit;
  std::uint64_t pad;
};

/// What is done besides handing out blocks; 0 on the fast path.
enum Watch : std::uint32_t {  // a level sets its bit and those below
  kWatchCounts = 1,           // TrackingLevel::basic
  kWatchClasses = 2,          // standard
  kWatchEvents = 4,           // detailed
  kWatchHardened = 8,
};

struct HeapCounters {
  // A thread adds its live bytes to the pool's sum when they changed by so much.
  static constexpr std::int64_t kLeaseBytes = 256 * 1024;

  OwnCounter allocations, frees, bytes, freed_bytes;  // of the raw front door, while watched
  OwnCounter handles, freed_handles, handle_bytes;    // always
  std::array<OwnCounter, kNumClasses> class_allocations;
  std::int64_t settled_bytes = 0;  // of bytes - freed_bytes: in the pool's sum

  void allocated(std::size_t n) noexcept {
    allocations.add(1);
    bytes.add(n);
  }
  void freed(std::size_t n) noexcept {
    frees.add(1);
    freed_bytes.add(n);
  }
  std::int64_t unsettled() const noexcept {
    return static_cast<std::int64_t>(bytes.get() - freed_bytes.get()) - settled_bytes;
  }
};

constexpr std::uint32_t total_magazine_slots() noexcept {
  std::uint32_t slots = 0;
  for (const SizeClass& c : kSizeClasses) slots += c.magazine;
  return slots;
}

struct ThreadHeap {
  static constexpr std::uint32_t kMaxLarge = 8;
  /// Large blocks at hand, together, unless it is a single one.
  static constexpr std::uint32_t kMaxLargeUnits = (64u << 20) / kUnitBytes;

  ThreadHeap() noexcept {
    void** slots = slots_.data();
    for (std::uint32_t i = 0; i < kNumClasses; ++i) {
      magazines[i] = {slots, slots, slots + kSizeClasses[i].magazine, 0};
      slots += kSizeClasses[i].magazine;
    }
  }

  std::atomic<std::uint32_t> watch{0};       // bits of Watch
  std::atomic<bool> flush_requested{false};  // by another thread's trim
  std::uint32_t num_large = 0, large_units = 0;
  std::array<LargeBlock, kMaxLarge> large;
  std::array<Magazine, kNumClasses> magazines;
  HeapCounters counters;
  std::int64_t leased_bytes = 0;       // live bytes not yet added to the pool's sum
  std::uint32_t until_guard = 0;       // allocations until the next one with a guard page
  EventRing* ring = nullptr;           // from TrackingLevel::detailed on
  ThreadHeap* next = nullptr;          // of the pool's list
  std::uint32_t num_handle_slots = 0;  // see handle_table.h
  std::array<std::uint32_t, 64> handle_slots;

 private:
  std::array<void*, total_magazine_slots()> slots_;
};

}  // namespace bitnet::memory
