// SPDX-License-Identifier: MIT OR Apache-2.0
// Free address space as buddies: power-of-two blocks of units at multiples of their size, two of
// which join where both are free.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "bitnet/memory/unit_bitmap.h"
#include "bitnet/memory/units.h"

namespace bitnet::memory {

/// Not thread-safe. A free unit is dirty when its memory may be resident, clean when it is not;
/// blocks with a dirty unit are kept apart, so that memory that is there is used first.
class Buddy {
 public:
  /// For units below `size` (a multiple of kArenaUnits), none of them free. False when out of
  /// memory.
  bool create(Metadata& metadata, std::uint32_t size) noexcept;

  /// dirty: only what is; any: that first; lowest: of both the lower address.
  enum class From { dirty, any, lowest };
  /// `units` units from a multiple of `align` (a power of two up to kArenaUnits), at the lowest
  /// address, so that what is in use stays together and in the caches; the rest of their block
  /// stays free. kNoUnit where no block holds them.
  std::uint32_t take(std::uint32_t units, std::uint32_t align, From from) noexcept;
  /// Of the last take(): the longest run of its units that was clean.
  std::uint32_t fresh_first() const noexcept { return fresh_first_; }
  std::uint32_t fresh_units() const noexcept { return fresh_units_; }
  void give(std::uint32_t unit, std::uint32_t units, bool dirty) noexcept;

  /// Calls `purge(first, units)` for runs of dirty free units from the highest address of the
  /// largest blocks on, until `max_units` are clean or none is left. It returns how many units from
  /// the run's beginning on are clean now. Returns the sum.
  template <class Purge>
  std::uint32_t clean(std::uint32_t max_units, Purge&& purge);

  std::uint32_t free_units() const noexcept { return free_units_; }
  std::uint32_t dirty_units() const noexcept { return dirty_units_; }
  /// Units of the largest free block, 0 where nothing is free.
  std::uint32_t largest_free() const noexcept;
  /// Calls `visit(first, units, dirty)` for each free block in no order.
  void for_each_free(const std::function<void(std::uint32_t, std::uint32_t, bool)>& visit) const;
  /// Throws Error{internal} where sets, counts and dirty units contradict each other.
  void validate() const;

 private:
  struct Level {
    UnitBitmap clean, dirty;  // of block numbers: first unit >> order
  };

  static std::uint32_t order_of(std::uint32_t units) noexcept {
    return units <= 1 ? 0 : static_cast<std::uint32_t>(std::bit_width(units - 1));
  }
  void join(std::uint32_t block, std::uint32_t order, bool dirty) noexcept;
  void split_off(std::uint32_t first, std::uint32_t end) noexcept;
  void add(std::uint32_t block, std::uint32_t order, bool dirty) noexcept;
  void remove(std::uint32_t block, std::uint32_t order, bool dirty) noexcept;
  bool any_dirty(std::uint32_t first, std::uint32_t units) const noexcept;
  /// Sets or clears the dirty bits of a range; returns how many changed.
  std::uint32_t mark(std::uint32_t first, std::uint32_t units, bool dirty) noexcept;
  std::uint32_t run_of_dirty(std::uint32_t first, std::uint32_t end, bool dirty) const noexcept;

  std::array<Level, kOrders> levels_;
  // The first unit of the lowest block of each order, [1] of the dirty ones.
  std::array<std::array<std::uint32_t, kOrders>, 2> lowest_;
  std::uint32_t any_clean_ = 0, any_free_dirty_ = 0;  // a bit for each order with a block
  std::uint64_t* dirty_bits_ = nullptr;               // a bit for each unit
  std::uint32_t size_ = 0, free_units_ = 0, dirty_units_ = 0;
  std::uint32_t fresh_first_ = 0, fresh_units_ = 0;
};

template <class Purge>
std::uint32_t Buddy::clean(std::uint32_t max_units, Purge&& purge) {
  std::uint32_t cleaned = 0;
  for (std::uint32_t order = kOrders; order-- > 0 && cleaned < max_units;) {
    // Blocks that could not be cleaned are put aside until the order is done.
    std::uint32_t aside[64];
    std::uint32_t num_aside = 0;
    while (cleaned < max_units && num_aside < 64 && !levels_[order].dirty.empty()) {
      const std::uint32_t block = levels_[order].dirty.largest();
      remove(block, order, true);
      const std::uint32_t first = block << order, end = first + (1u << order);
      bool all = true;
      for (std::uint32_t unit = first; unit < end;) {
        const std::uint32_t clean_end = run_of_dirty(unit, end, false);
        const std::uint32_t dirty_end = run_of_dirty(clean_end, end, true);
        if (dirty_end > clean_end) {
          const std::uint32_t purged =
              cleaned < max_units ? purge(clean_end, dirty_end - clean_end) : 0;
          dirty_units_ -= mark(clean_end, purged, false);
          cleaned += purged;
          all = all && purged == dirty_end - clean_end;
        }
        unit = dirty_end;
      }
      if (all)
        join(block, order, false);
      else
        aside[num_aside++] = block;
    }
    for (std::uint32_t i = 0; i < num_aside; ++i) join(aside[i], order, true);
  }
  return cleaned;
}

}  // namespace bitnet::memory
