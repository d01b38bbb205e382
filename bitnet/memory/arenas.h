// SPDX-License-Identifier: MIT OR Apache-2.0
// The memory of one kind of blocks: reserved address space, taken into use arena by arena, handed
// out in units, given back to the system when nobody needs it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "bitnet/memory/adaptive_mutex.h"
#include "bitnet/memory/buddy.h"

namespace bitnet::memory {

/// How pages are backed; the same for all memory of a pool.
struct PageOptions {
  bool huge_pages = false;
  bool lock = false;               // out of swap
  std::optional<int> numa_node{};  // pages come from this node
};

class Arenas;

struct UnitRange {
  std::uint32_t unit = kNoUnit;
  std::uint32_t units = 0;
};

/// What the arenas of one pool hold together. Memory that was freed is kept for reuse as long as
/// the pool holds no more than it had in use at its peak and an eighth: a steady load seldom waits
/// for the system, and what a process keeps is bounded by what it needed once.
class Footprint {
 public:
  void add(Arenas* arenas) noexcept { arenas_[count_++] = arenas; }
  /// Units in use and free but resident.
  std::uint64_t taken() const noexcept;
  std::uint64_t dirty() const noexcept;
  void note_peak() noexcept;
  /// Dirty units beyond what is worth keeping.
  std::uint64_t excess() const noexcept;
  /// Forgets the peak: what is held now is what is needed.
  void reset_peak() noexcept { peak_.store(taken(), std::memory_order_relaxed); }
  /// Returns excess() to the system, of `first` before the others. Locks each in turn.
  void return_excess(Arenas& first) noexcept;

 private:
  Arenas* arenas_[2] = {};
  int count_ = 0;
  std::atomic<std::uint64_t> peak_{0};
};

/// Thread-safe.
class Arenas {
 public:
  struct Config {
    std::byte* base = nullptr;  // reserved pages at a multiple of kArenaBytes
    std::uint32_t units = 0;    // a multiple of kArenaUnits
    std::uint64_t limit_units = 0;
    std::uint32_t initial_units = 0;  // taken into use at once, rounded up to arenas
    PageOptions pages;
  };
  /// Throws Error{out_of_memory}.
  Arenas(const Config& config, Metadata& metadata, Footprint& footprint);
  ~Arenas();
  Arenas(const Arenas&) = delete;
  Arenas& operator=(const Arenas&) = delete;

  /// As Buddy::take(); From::any may take new memory from the system. kNoUnit at the limit or when
  /// out of memory.
  std::uint32_t take(std::uint32_t units, std::uint32_t align, Buddy::From from) noexcept;
  /// Up to `count` ranges of `units` in dirty memory, the last perhaps in part new; how many there
  /// were.
  std::uint32_t take_dirty(std::uint32_t units, UnitRange* ranges, std::uint32_t count) noexcept;
  /// `dirty`: the units may hold memory.
  void give(std::uint32_t unit, std::uint32_t units, bool dirty = true) noexcept {
    const UnitRange range{unit, units};
    give(&range, 1, dirty);
  }
  void give(const UnitRange* ranges, std::uint32_t count, bool dirty = true) noexcept;

  struct Trimmed {
    std::uint64_t units = 0;  // no longer dirty
    std::uint64_t bytes = 0;  // of these in memory until then
  };
  /// Returns dirty units freed `min_age_ms` ago or longer in runs of at least `min_units`, until
  /// `max_bytes` went back or it is out of time.
  Trimmed trim(std::uint64_t max_bytes, std::uint64_t min_age_ms, std::uint32_t min_units,
               bool (*out_of_time)(void*), void* context) noexcept;
  /// Where the pool holds too much, gives new units of the last take() the memory of dirty ones,
  /// which costs no fault and no zeroing.
  void refit() noexcept;
  /// Returns `units` dirty units; quick, uncounted.
  void shrink(std::uint64_t units) noexcept;

  std::byte* address(std::uint32_t unit) const noexcept {
    return config_.base + std::size_t{unit} * kUnitBytes;
  }
  /// Of an address in these arenas.
  std::uint32_t unit_of(const void* address) const noexcept {
    return static_cast<std::uint32_t>(
        static_cast<std::size_t>(static_cast<const std::byte*>(address) - config_.base) /
        kUnitBytes);
  }
  bool contains(const void* address) const noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - config_.base) <
           std::size_t{config_.units} * kUnitBytes;
  }
  /// Gives back the memory of pages in units that are taken; the bytes that were in memory.
  std::uint64_t purge_counted(std::byte* pages, std::size_t bytes) noexcept;

  std::uint64_t taken_units() const noexcept { return taken_.load(std::memory_order_relaxed); }
  std::uint64_t dirty_units() const noexcept { return dirty_.load(std::memory_order_relaxed); }
  std::uint64_t peak_units() const noexcept { return peak_.load(std::memory_order_relaxed); }
  std::uint64_t limit_units() const noexcept { return config_.limit_units; }
  /// Last time units were taken or given, of os::coarse_milliseconds().
  std::uint64_t last_use_ms() const noexcept { return last_use_.load(std::memory_order_relaxed); }
  struct Space {
    std::uint64_t open_units, free_units, largest_free_units;
  };
  Space space() const;
  void for_each_free(const std::function<void(std::uint32_t, std::uint32_t, bool)>& visit) const;
  void validate() const;
  AdaptiveMutex& mutex() const noexcept { return mutex_; }

 private:
  bool open_arena() noexcept;
  /// AddressSanitizer's records of a whole arena would cost 32 MiB of writes a pool: what no block
  /// came near is left alone.
  void poison_up_to(std::uint32_t unit) noexcept;
  std::uint32_t take_locked(std::uint32_t units, std::uint32_t align, Buddy::From from) noexcept;
  void publish() noexcept;
  bool purge(std::byte* pages, std::size_t bytes) noexcept;

  Config config_;
  Footprint& footprint_;
  mutable AdaptiveMutex mutex_;
  Buddy buddy_;
  std::uint32_t* freed_ms_ = nullptr;  // for each unit: low bits of the time it was freed
  std::uint32_t open_units_ = 0;
  std::uint32_t poisoned_units_ = 0;  // from the begin
  // Written under the mutex, read by anyone.
  std::atomic<std::uint64_t> taken_{0}, dirty_{0}, peak_{0}, last_use_{0};
};

}  // namespace bitnet::memory
