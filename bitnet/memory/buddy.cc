// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/buddy.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "bitnet/base/error.h"

namespace bitnet::memory {

bool Buddy::create(Metadata& metadata, std::uint32_t size) noexcept {
  size_ = size;
  for (auto& orders : lowest_) orders.fill(kNoUnit);
  for (std::uint32_t order = 0; order < kOrders; ++order)
    if (!levels_[order].clean.create(metadata, size >> order) ||
        !levels_[order].dirty.create(metadata, size >> order))
      return false;
  dirty_bits_ = metadata.take_words(size / 64);
  return dirty_bits_ != nullptr;
}

void Buddy::add(std::uint32_t block, std::uint32_t order, bool dirty) noexcept {
  (dirty ? levels_[order].dirty : levels_[order].clean).add(block);
  (dirty ? any_free_dirty_ : any_clean_) |= 1u << order;
  lowest_[dirty][order] = std::min(lowest_[dirty][order], block << order);
}

void Buddy::remove(std::uint32_t block, std::uint32_t order, bool dirty) noexcept {
  UnitBitmap& set = dirty ? levels_[order].dirty : levels_[order].clean;
  set.remove(block);
  if (set.empty()) (dirty ? any_free_dirty_ : any_clean_) &= ~(1u << order);
  if (lowest_[dirty][order] == block << order)
    lowest_[dirty][order] = set.empty() ? kNoUnit : set.smallest() << order;
}

void Buddy::join(std::uint32_t block, std::uint32_t order, bool dirty) noexcept {
  while (order + 1 < kOrders) {
    const std::uint32_t buddy = block ^ 1;
    if (levels_[order].clean.has(buddy)) {
      remove(buddy, order, false);
    } else if (levels_[order].dirty.has(buddy)) {
      remove(buddy, order, true);
      dirty = true;
    } else {
      break;
    }
    block >>= 1;
    ++order;
  }
  add(block, order, dirty);
}

bool Buddy::any_dirty(std::uint32_t first, std::uint32_t units) const noexcept {
  return run_of_dirty(first, first + units, false) != first + units;
}

std::uint32_t Buddy::run_of_dirty(std::uint32_t first, std::uint32_t end,
                                  bool dirty) const noexcept {
  while (first < end) {
    const std::uint64_t word = dirty ? dirty_bits_[first >> 6] : ~dirty_bits_[first >> 6];
    const auto run = static_cast<std::uint32_t>(std::countr_one(word >> (first & 63)));
    const std::uint32_t left = 64 - (first & 63);
    if (run < left) return std::min(end, first + run);
    first += left;
  }
  return end;
}

std::uint32_t Buddy::mark(std::uint32_t first, std::uint32_t units, bool dirty) noexcept {
  std::uint32_t changed = 0;
  for (const std::uint32_t end = first + units; first < end;) {
    const std::uint32_t count = std::min(64 - (first & 63), end - first);
    const std::uint64_t mask = (count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1)
                               << (first & 63);
    std::uint64_t& word = dirty_bits_[first >> 6];
    changed += static_cast<std::uint32_t>(std::popcount((dirty ? ~word : word) & mask));
    word = dirty ? word | mask : word & ~mask;
    first += count;
  }
  return changed;
}

// Frees [first, end), cut into aligned powers of two. Nothing of it can join what is around it.
void Buddy::split_off(std::uint32_t first, std::uint32_t end) noexcept {
  while (first < end) {
    std::uint32_t order = static_cast<std::uint32_t>(std::countr_zero(first | kArenaUnits));
    while ((1u << order) > end - first) --order;
    add(first >> order, order, any_dirty(first, 1u << order));
    first += 1u << order;
  }
}

std::uint32_t Buddy::take(std::uint32_t units, std::uint32_t align, From from) noexcept {
  const std::uint32_t order = std::max(order_of(units), order_of(align));
  if (order >= kOrders) return kNoUnit;
  const std::uint32_t dirty_orders = any_free_dirty_ >> order << order;
  const std::uint32_t clean_orders =
      from == From::dirty || (from == From::any && dirty_orders) ? 0 : any_clean_ >> order << order;
  if ((dirty_orders | clean_orders) == 0) return kNoUnit;
  std::uint32_t first = kNoUnit, found = 0;
  bool dirty = false;
  for (const bool of_dirty : {false, true})
    for (std::uint32_t i = order; i < kOrders && (of_dirty ? dirty_orders : clean_orders) != 0; ++i)
      if (lowest_[of_dirty][i] < first) {
        first = lowest_[of_dirty][i];
        found = i;
        dirty = of_dirty;
      }
  remove(first >> found, found, dirty);
  split_off(first + units, first + (1u << found));
  free_units_ -= units;
  fresh_first_ = first;
  fresh_units_ = dirty ? 0 : units;
  if (dirty) {
    for (std::uint32_t at = first; at < first + units;) {
      const std::uint32_t begin = run_of_dirty(at, first + units, true);
      at = run_of_dirty(begin, first + units, false);
      if (at - begin > fresh_units_) {
        fresh_first_ = begin;
        fresh_units_ = at - begin;
      }
    }
    dirty_units_ -= mark(first, units, false);
  }
  return first;
}

void Buddy::give(std::uint32_t unit, std::uint32_t units, bool dirty) noexcept {
  free_units_ += units;
  if (dirty) dirty_units_ += mark(unit, units, true);
  for (const std::uint32_t end = unit + units; unit < end;) {
    std::uint32_t order = static_cast<std::uint32_t>(std::countr_zero(unit | kArenaUnits));
    while ((1u << order) > end - unit) --order;
    join(unit >> order, order, dirty);
    unit += 1u << order;
  }
}

std::uint32_t Buddy::largest_free() const noexcept {
  const std::uint32_t orders = any_clean_ | any_free_dirty_;
  return orders == 0 ? 0 : 1u << (std::bit_width(orders) - 1);
}

void Buddy::for_each_free(
    const std::function<void(std::uint32_t, std::uint32_t, bool)>& visit) const {
  for (std::uint32_t order = 0; order < kOrders; ++order)
    for (std::uint32_t block = 0; block < size_ >> order; ++block) {
      if (levels_[order].clean.has(block)) visit(block << order, 1u << order, false);
      if (levels_[order].dirty.has(block)) visit(block << order, 1u << order, true);
    }
}

void Buddy::validate() const {
  std::uint32_t free_units = 0, dirty_units = 0;
  for_each_free([&](std::uint32_t first, std::uint32_t units, bool dirty) {
    free_units += units;
    std::uint32_t found = 0;
    for (std::uint32_t unit = first; unit < first + units; ++unit)
      found += static_cast<std::uint32_t>(dirty_bits_[unit >> 6] >> (unit & 63) & 1);
    dirty_units += found;
    if (dirty != (found != 0))
      fail(Errc::internal,
           "buddy: the free block at unit " + std::to_string(first) + " is in the wrong set");
    const auto order = static_cast<std::uint32_t>(std::countr_zero(units));
    const std::uint32_t buddy = (first >> order) ^ 1;
    if (order + 1 < kOrders && (levels_[order].clean.has(buddy) || levels_[order].dirty.has(buddy)))
      fail(Errc::internal,
           "buddy: two free buddies at unit " + std::to_string(first) + " did not join");
  });
  for (std::uint32_t order = 0; order < kOrders; ++order)
    for (const bool dirty : {false, true}) {
      const UnitBitmap& set = dirty ? levels_[order].dirty : levels_[order].clean;
      if (lowest_[dirty][order] != (set.empty() ? kNoUnit : set.smallest() << order))
        fail(Errc::internal, "buddy: the lowest free block of order " + std::to_string(order) +
                                 " is not the one that is kept");
    }
  if (free_units != free_units_ || dirty_units != dirty_units_)
    fail(Errc::internal, "buddy: " + std::to_string(free_units) + " units are free and " +
                             std::to_string(dirty_units) + " dirty, counted were " +
                             std::to_string(free_units_) + " and " + std::to_string(dirty_units_));
}

}  // namespace bitnet::memory
