// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/large_block_pool.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "bitnet/base/checked.h"
#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/poison.h"

namespace bitnet::memory {

LargeBlockPool::LargeBlockPool(const Arenas::Config& config, Metadata& metadata,
                               Footprint& footprint, UnitKinds kinds)
    : kinds_(kinds), arenas_(config, metadata, footprint), pages_(config.pages) {
  units_ = reinterpret_cast<std::uint32_t*>(metadata.take_words(config.units / 2));
  require(units_ != nullptr, "memory pool: no memory for its tables", Errc::out_of_memory);
}

LargeBlockPool::~LargeBlockPool() {
  for (const auto& [address, bytes] : mapped_)
    os::unmap_pages(reinterpret_cast<void*>(address), bytes);
}

std::uint32_t LargeBlockPool::take(std::uint32_t units, std::uint32_t align,
                                   Buddy::From from) noexcept {
  const std::uint32_t unit = arenas_.take(units, align, from);
  if (unit != kNoUnit) units_[unit] = units;
  return unit;
}

std::uint32_t LargeBlockPool::take_some(std::uint32_t units, LargeBlock* blocks,
                                        std::uint32_t count) noexcept {
  const std::uint32_t taken = arenas_.take_dirty(units, blocks, count);
  for (std::uint32_t i = 0; i < taken; ++i) units_[blocks[i].unit] = units;
  return taken;
}

std::uint32_t LargeBlockPool::take_recent(std::uint32_t units, LargeBlock* blocks,
                                          std::uint32_t count) noexcept {
  if (num_recent_.load(std::memory_order_relaxed) == 0) return 0;
  const std::lock_guard lock(recent_mutex_);
  std::uint32_t taken = 0, left = num_recent_.load(std::memory_order_relaxed);
  for (std::uint32_t i = left; i-- > 0 && taken < count;) {
    if (recent_[i].units != units) continue;
    blocks[taken++] = recent_[i];
    recent_[i] = recent_[--left];
  }
  num_recent_.store(left, std::memory_order_relaxed);
  return taken;
}

void LargeBlockPool::give(const LargeBlock* blocks, std::uint32_t count) noexcept {
  std::uint32_t kept = 0;
  {
    const std::lock_guard lock(recent_mutex_);
    std::uint32_t waiting = num_recent_.load(std::memory_order_relaxed);
    while (kept < count && waiting < kMaxRecent) recent_[waiting++] = blocks[kept++];
    num_recent_.store(waiting, std::memory_order_relaxed);
  }
  if (kept < count) arenas_.give(blocks + kept, count - kept);
}

bool LargeBlockPool::flush() noexcept {
  std::array<LargeBlock, kMaxRecent> blocks;
  std::uint32_t count;
  {
    const std::lock_guard lock(recent_mutex_);
    blocks = recent_;
    count = num_recent_.exchange(0, std::memory_order_relaxed);
  }
  if (count > 0) arenas_.give(blocks.data(), count);
  return count > 0;
}

std::byte* LargeBlockPool::map(std::size_t bytes, std::size_t alignment) noexcept {
  const std::uint64_t limit = arenas_.limit_units() * kUnitBytes;
  const std::uint64_t size = align_up(bytes, kUnitBytes);
  const std::lock_guard lock(mapped_mutex_);
  const std::uint64_t held = mapped_bytes() + arenas_.taken_units() * kUnitBytes;
  if (size < bytes || size > limit || held > limit - size) return nullptr;
  void* pages = os::map_pages(bytes, std::max(alignment, os::kPageBytes));
  if (!pages) return nullptr;
  if (!pages_.huge_pages) os::advise_huge_pages(pages, bytes, false);
  if (pages_.numa_node) os::bind_to_numa_node(pages, bytes, *pages_.numa_node);
  if (pages_.lock) os::lock_pages(pages, bytes);
  try {
    mapped_.emplace(reinterpret_cast<std::uintptr_t>(pages), bytes);
  } catch (const std::bad_alloc&) {
    os::unmap_pages(pages, bytes);
    return nullptr;
  }
  const std::uint64_t mapped = mapped_bytes() + size;
  mapped_bytes_.store(mapped, std::memory_order_relaxed);
  peak_mapped_bytes_.store(std::max(mapped, peak_mapped_bytes()), std::memory_order_relaxed);
  return static_cast<std::byte*>(pages);
}

std::size_t LargeBlockPool::unmap(const void* block) noexcept {
  const std::lock_guard lock(mapped_mutex_);
  const auto found = mapped_.find(reinterpret_cast<std::uintptr_t>(block));
  if (found == mapped_.end()) return 0;
  const std::size_t bytes = found->second;
  mapped_.erase(found);
  mapped_bytes_.fetch_sub(align_up(bytes, kUnitBytes), std::memory_order_relaxed);
  os::unmap_pages(const_cast<void*>(block), bytes);
  return bytes;
}

std::size_t LargeBlockPool::mapped_size(const void* block) const noexcept {
  const std::lock_guard lock(mapped_mutex_);
  const auto found = mapped_.find(reinterpret_cast<std::uintptr_t>(block));
  return found == mapped_.end() ? 0 : found->second;
}

std::uint32_t LargeBlockPool::move_down(std::uint32_t unit) noexcept {
  const std::uint32_t units = units_[unit];
  const std::uint32_t to = arenas_.take(units, 1, Buddy::From::lowest);
  if (to == kNoUnit) return kNoUnit;
  if (to > unit) {
    arenas_.give(to, units);
    return kNoUnit;
  }
  const std::size_t bytes = std::size_t{units} * kUnitBytes;
  std::byte* source = arenas_.address(unit);
  std::byte* target = arenas_.address(to);
  unpoison(target, bytes);
  // Remapping 64 MiB costs 43 us where copying it costs 3 ms.
  const bool moved = os::move_pages(source, target, bytes);
  if (!moved) std::memcpy(target, source, bytes);
  units_[to] = units;
  set_live(to, true);
  set_live(unit, false);
  arenas_.give(unit, units, !moved);
  return to;
}

void LargeBlockPool::validate() const { arenas_.validate(); }

void LargeBlockPool::lock_all() noexcept {
  recent_mutex_.lock();
  mapped_mutex_.lock();
  arenas_.mutex().lock();
}

void LargeBlockPool::unlock_all() noexcept {
  arenas_.mutex().unlock();
  mapped_mutex_.unlock();
  recent_mutex_.unlock();
}

}  // namespace bitnet::memory
