// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/arenas.h"

#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/poison.h"

namespace bitnet::memory {
namespace {

// What may be kept beyond the peak, in units: 1/8 of it, and 2 MiB so that small pools do not
// return and take the same pages over and over.
constexpr std::uint64_t kSlackShare = 8, kSlackUnits = 32;

// Memory is moved and returned in whole huge pages: a part of one costs more than it is worth.
constexpr std::uint32_t kChunk = os::kHugePageBytes / kUnitBytes;

}  // namespace

std::uint64_t Footprint::taken() const noexcept {
  std::uint64_t sum = 0;
  for (int i = 0; i < count_; ++i) sum += arenas_[i]->taken_units();
  return sum;
}

std::uint64_t Footprint::dirty() const noexcept {
  std::uint64_t sum = 0;
  for (int i = 0; i < count_; ++i) sum += arenas_[i]->dirty_units();
  return sum;
}

void Footprint::note_peak() noexcept {
  const std::uint64_t now = taken();
  if (now > peak_.load(std::memory_order_relaxed)) peak_.store(now, std::memory_order_relaxed);
}

std::uint64_t Footprint::excess() const noexcept {
  const std::uint64_t peak = peak_.load(std::memory_order_relaxed);
  const std::uint64_t keep = peak + peak / kSlackShare + kSlackUnits;
  const std::uint64_t held = taken() + dirty();
  return held > keep ? std::min(held - keep, dirty()) : 0;
}

void Footprint::return_excess(Arenas& first) noexcept {
  if (const std::uint64_t units = excess()) first.shrink(units);
  for (int i = 0; i < count_; ++i)
    if (arenas_[i] != &first)
      if (const std::uint64_t units = excess()) arenas_[i]->shrink(units);
}

Arenas::Arenas(const Config& config, Metadata& metadata, Footprint& footprint)
    : config_(config), footprint_(footprint) {
  freed_ms_ = reinterpret_cast<std::uint32_t*>(metadata.take_words(config.units / 2));
  require(freed_ms_ && buddy_.create(metadata, config.units),
          "memory pool: no memory for its tables", Errc::out_of_memory);
  while (open_units_ < std::min(config.initial_units, config.units))
    require(open_arena(), "memory pool: the system refuses its initial memory",
            Errc::out_of_memory);
  footprint.add(this);
  last_use_ = os::coarse_milliseconds();
}

Arenas::~Arenas() {
  if constexpr (kPoisoning) unpoison(config_.base, std::size_t{poisoned_units_} * kUnitBytes);
}

void Arenas::poison_up_to(std::uint32_t unit) noexcept {
  constexpr std::uint32_t kMargin = 16;  // 1 MiB behind the last block
  const std::uint32_t end = std::min(open_units_, unit + kMargin);
  if (end <= poisoned_units_) return;
  poison(address(poisoned_units_), std::size_t{end - poisoned_units_} * kUnitBytes);
  poisoned_units_ = end;
}

bool Arenas::open_arena() noexcept {
  if (open_units_ == config_.units) return false;
  std::byte* pages = address(open_units_);
  if (!os::commit_pages(pages, kArenaBytes)) return false;
  if (config_.pages.huge_pages) os::advise_huge_pages(pages, kArenaBytes, true);
  if (config_.pages.numa_node) os::bind_to_numa_node(pages, kArenaBytes, *config_.pages.numa_node);
  if (config_.pages.lock) os::lock_pages(pages, kArenaBytes);
  buddy_.give(open_units_, kArenaUnits, false);
  open_units_ += kArenaUnits;
  return true;
}

void Arenas::publish() noexcept {
  dirty_.store(buddy_.dirty_units(), std::memory_order_relaxed);
  const std::uint64_t taken = open_units_ - buddy_.free_units();
  taken_.store(taken, std::memory_order_relaxed);
  if (taken > peak_.load(std::memory_order_relaxed)) peak_.store(taken, std::memory_order_relaxed);
  footprint_.note_peak();
}

std::uint32_t Arenas::take_locked(std::uint32_t units, std::uint32_t align,
                                  Buddy::From from) noexcept {
  if (open_units_ - buddy_.free_units() + units > config_.limit_units) return kNoUnit;
  std::uint32_t unit = buddy_.take(units, align, from);
  while (unit == kNoUnit && from != Buddy::From::dirty && units <= kArenaUnits && open_arena())
    unit = buddy_.take(units, align, from);
  if constexpr (kPoisoning)
    if (unit != kNoUnit) poison_up_to(unit + units);
  return unit;
}

std::uint32_t Arenas::take(std::uint32_t units, std::uint32_t align, Buddy::From from) noexcept {
  std::uint32_t unit;
  bool grew = false;
  {
    const std::lock_guard lock(mutex_);
    const std::uint32_t dirty_before = buddy_.dirty_units();
    unit = take_locked(units, align, from);
    if (unit == kNoUnit) return kNoUnit;
    grew = dirty_before - buddy_.dirty_units() < units;
    publish();
    if (grew) refit();
  }
  if (grew && footprint_.excess() > 0) footprint_.return_excess(*this);
  return unit;
}

std::uint32_t Arenas::take_dirty(std::uint32_t units, UnitRange* ranges,
                                 std::uint32_t count) noexcept {
  std::uint32_t taken = 0;
  bool grew = false;
  {
    const std::lock_guard lock(mutex_);
    while (taken < count && !grew) {
      const std::uint32_t dirty_before = buddy_.dirty_units();
      const std::uint32_t unit = take_locked(units, 1, Buddy::From::dirty);
      if (unit == kNoUnit) break;
      grew = dirty_before - buddy_.dirty_units() < units;
      ranges[taken++] = {unit, units};
    }
    publish();
  }
  if (grew && footprint_.excess() > 0) footprint_.return_excess(*this);
  return taken;
}

void Arenas::give(const UnitRange* ranges, std::uint32_t count, bool dirty) noexcept {
  if constexpr (kPoisoning)
    for (std::uint32_t i = 0; i < count; ++i)
      poison(address(ranges[i].unit), std::size_t{ranges[i].units} * kUnitBytes);
  const std::uint64_t now = os::coarse_milliseconds();
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::fill_n(freed_ms_ + ranges[i].unit, ranges[i].units, static_cast<std::uint32_t>(now));
    buddy_.give(ranges[i].unit, ranges[i].units, dirty);
  }
  last_use_.store(now, std::memory_order_relaxed);
  publish();
}

bool Arenas::purge(std::byte* pages, std::size_t bytes) noexcept {
  if (!config_.pages.lock) return os::purge_pages(pages, bytes);
  os::unlock_pages(pages, bytes);
  const bool purged = os::purge_pages(pages, bytes);
  os::lock_pages(pages, bytes);
  return purged;
}

std::uint64_t Arenas::purge_counted(std::byte* pages, std::size_t bytes) noexcept {
  const std::size_t resident = os::resident_bytes(pages, bytes);
  return purge(pages, bytes) ? resident : 0;
}

void Arenas::refit() noexcept {
  const std::uint64_t excess = footprint_.excess();
  std::uint32_t to = (buddy_.fresh_first() + kChunk - 1) / kChunk * kChunk;
  const std::uint32_t to_end = (buddy_.fresh_first() + buddy_.fresh_units()) / kChunk * kChunk;
  // Pages that are locked, or of a system that cannot move them, are returned instead (shrink()).
  if (excess == 0 || to >= to_end || config_.pages.lock) return;
  bool works = true;
  const auto wanted =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(excess / kChunk * kChunk, to_end - to));
  buddy_.clean(wanted, [&](std::uint32_t first, std::uint32_t count) -> std::uint32_t {
    const std::uint32_t head = (kChunk - first % kChunk) % kChunk;
    if (!works || to >= to_end || count < head + kChunk) return 0;
    if (head > 0 && !purge(address(first), std::size_t{head} * kUnitBytes)) return 0;
    const std::uint32_t units = std::min((count - head) / kChunk * kChunk, to_end - to);
    works = os::move_pages(address(first + head), address(to), std::size_t{units} * kUnitBytes);
    if (!works) return head;
    to += units;
    return head + units;
  });
  publish();
}

void Arenas::shrink(std::uint64_t units) noexcept {
  const std::lock_guard lock(mutex_);
  std::uint64_t left = units;
  buddy_.clean(static_cast<std::uint32_t>(std::min<std::uint64_t>(units, config_.units)),
               [&](std::uint32_t first, std::uint32_t count) -> std::uint32_t {
                 const std::uint64_t end = (first + left + kChunk - 1) / kChunk * kChunk;
                 const auto part =
                     static_cast<std::uint32_t>(std::min<std::uint64_t>(count, end - first));
                 if (!purge(address(first), std::size_t{part} * kUnitBytes)) return 0;
                 left -= std::min<std::uint64_t>(left, part);
                 return part;
               });
  publish();
}

Arenas::Trimmed Arenas::trim(std::uint64_t max_bytes, std::uint64_t min_age_ms,
                             std::uint32_t min_units, bool (*out_of_time)(void*),
                             void* context) noexcept {
  const std::lock_guard lock(mutex_);
  const auto now = static_cast<std::uint32_t>(os::coarse_milliseconds());
  Trimmed trimmed;
  const auto purge_run = [&](std::uint32_t first, std::uint32_t units) -> std::uint32_t {
    if (units < min_units || trimmed.bytes >= max_bytes || out_of_time(context)) return 0;
    if (min_age_ms > 0)
      for (std::uint32_t unit = first; unit < first + units; ++unit)
        if (now - freed_ms_[unit] < min_age_ms) return 0;
    const std::size_t bytes = std::size_t{units} * kUnitBytes;
    const std::size_t resident = os::resident_bytes(address(first), bytes);
    if (!purge(address(first), bytes)) return 0;
    trimmed.bytes += resident;
    return units;
  };
  // A block that became clean may have joined a dirty one: again, until nothing changes.
  while (buddy_.dirty_units() > 0) {
    const std::uint32_t cleaned = buddy_.clean(config_.units, purge_run);
    if (cleaned == 0) break;
    trimmed.units += cleaned;
  }
  publish();
  return trimmed;
}

Arenas::Space Arenas::space() const {
  const std::lock_guard lock(mutex_);
  return {open_units_, buddy_.free_units(), buddy_.largest_free()};
}

void Arenas::for_each_free(
    const std::function<void(std::uint32_t, std::uint32_t, bool)>& visit) const {
  const std::lock_guard lock(mutex_);
  buddy_.for_each_free(visit);
}

void Arenas::validate() const {
  const std::lock_guard lock(mutex_);
  buddy_.validate();
}

}  // namespace bitnet::memory
