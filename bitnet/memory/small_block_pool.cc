// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/small_block_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "bitnet/base/checked.h"
#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"

namespace bitnet::memory {

SmallBlockPool::SmallBlockPool(const Arenas::Config& config, Metadata& metadata,
                               Footprint& footprint, UnitKinds kinds)
    : metadata_(metadata), kinds_(kinds), arenas_(config, metadata, footprint) {
  const std::size_t units = config.units;
  auto* spans = metadata.take_words(units * sizeof(Span) / 8);
  auto* heads = metadata.take_words(units / 2);
  auto* transfers = metadata.take_words(std::size_t{kNumClasses} * kMaxTransfer);
  require(spans && heads && transfers, "memory pool: no memory for its tables",
          Errc::out_of_memory);
  spans_ = reinterpret_cast<Span*>(spans);
  heads_ = reinterpret_cast<std::uint32_t*>(heads);
  for (std::uint32_t i = 0; i < kNumClasses; ++i)
    classes_[i].transfer = reinterpret_cast<void**>(transfers) + std::size_t{i} * kMaxTransfer;
}

// Two magazines, but of big blocks little: what waits here is memory in nobody's use.
std::uint32_t SmallBlockPool::transfer_limit(std::uint32_t size_class) noexcept {
  return std::min(kMaxTransfer, 2 * kSizeClasses[size_class].magazine);
}

void SmallBlockPool::list(Class& c, Span& span) noexcept {
  span.prev = kNoUnit;
  span.next = c.first;
  if (c.first != kNoUnit) spans_[c.first].prev = span.unit;
  c.first = span.unit;
  span.listed = true;
}

void SmallBlockPool::unlist(Class& c, Span& span) noexcept {
  if (span.prev != kNoUnit)
    spans_[span.prev].next = span.next;
  else
    c.first = span.next;
  if (span.next != kNoUnit) spans_[span.next].prev = span.prev;
  span.listed = false;
}

std::uint32_t SmallBlockPool::take_from(Class& c, Span& span, void** blocks,
                                        std::uint32_t count) noexcept {
  const std::size_t block_bytes = kSizeClasses[span.size_class].block_bytes;
  std::byte* start = start_of(span);
  std::uint32_t taken = 0, word = span.first_word;
  while (taken < count && taken < span.free_blocks) {
    std::uint64_t bits = span.free_bits[word];
    while (bits != 0 && taken < count) {
      const auto index = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      blocks[taken++] = start + index * block_bytes;
      bits &= bits - 1;
    }
    span.free_bits[word] = bits;
    if (bits == 0) ++word;
  }
  span.first_word = word;
  span.free_blocks -= taken;
  c.free_blocks -= taken;
  if (span.purged_pages > 0) {
    purged_bytes_.fetch_sub(span.purged_pages * os::kPageBytes, std::memory_order_relaxed);
    span.purged_pages = 0;
    span.changed = true;
  }
  if (c.kept == span.unit) c.kept = kNoUnit;
  if (span.free_blocks == 0) unlist(c, span);
  return taken;
}

std::uint32_t SmallBlockPool::take(std::uint32_t size_class, void** blocks,
                                   std::uint32_t count) noexcept {
  Class& c = classes_[size_class];
  const std::lock_guard lock(c.mutex);
  const std::uint32_t waiting = c.transfer_count.load(std::memory_order_relaxed);
  std::uint32_t taken = std::min(count, waiting);
  if (taken > 0) {
    std::memcpy(blocks, c.transfer + (waiting - taken), taken * sizeof(void*));
    c.transfer_count.store(waiting - taken, std::memory_order_relaxed);
    return taken;
  }
  while (taken < count && c.first != kNoUnit)
    taken += take_from(c, spans_[c.first], blocks + taken, count - taken);
  return taken;
}

bool SmallBlockPool::grow(std::uint32_t size_class, Buddy::From from) noexcept {
  const SizeClass& size = kSizeClasses[size_class];
  const std::uint32_t unit = arenas_.take(size.span_units, 1, from);
  if (unit == kNoUnit) return false;
  std::uint64_t* bits = metadata_.take_words(words(size_class));
  if (!bits) {
    arenas_.give(unit, size.span_units, false);
    return false;
  }
  for (std::uint32_t i = 0; i < size.span_blocks / 64; ++i) bits[i] = ~std::uint64_t{0};
  if (size.span_blocks % 64)
    bits[size.span_blocks / 64] = (std::uint64_t{1} << (size.span_blocks % 64)) - 1;
  Span& span = *new (&spans_[unit]) Span;
  span.free_bits = bits;
  span.unit = unit;
  span.size_class = size_class;
  span.free_blocks = size.span_blocks;
  for (std::uint32_t i = 0; i < size.span_units; ++i) {
    heads_[unit + i] = unit;
    kinds_[unit + i].store(static_cast<std::uint8_t>(kFirstClass + size_class),
                           std::memory_order_relaxed);
  }
  Class& c = classes_[size_class];
  const std::lock_guard lock(c.mutex);
  list(c, span);
  ++c.spans;
  c.free_blocks += size.span_blocks;
  return true;
}

void SmallBlockPool::release(std::uint32_t unit) noexcept {
  Span& span = spans_[unit];
  const SizeClass& size = kSizeClasses[span.size_class];
  if (span.purged_pages > 0)
    purged_bytes_.fetch_sub(span.purged_pages * os::kPageBytes, std::memory_order_relaxed);
  metadata_.give_words(span.free_bits, words(span.size_class));
  span.free_bits = nullptr;
  for (std::uint32_t i = 0; i < size.span_units; ++i)
    kinds_[unit + i].store(kNoBlock, std::memory_order_relaxed);
  arenas_.give(unit, size.span_units);
}

std::uint32_t SmallBlockPool::put(Class& c, void* block, std::uint32_t now_ms) noexcept {
  Span& span = span_of(block);
  const std::uint32_t index = index_of(span, block);
  const std::uint64_t bit = std::uint64_t{1} << (index & 63);
  std::uint64_t& word = span.free_bits[index >> 6];
  if (word & bit) {
    double_frees_.fetch_add(1, std::memory_order_relaxed);
    return kNoUnit;
  }
  word |= bit;
  span.first_word = std::min(span.first_word, index >> 6);
  span.freed_ms = now_ms;
  span.changed = true;
  ++span.free_blocks;
  ++c.free_blocks;
  if (!span.listed && !span.evacuating) list(c, span);
  if (span.free_blocks != kSizeClasses[span.size_class].span_blocks) return kNoUnit;
  if (c.kept == kNoUnit && !span.evacuating) {
    c.kept = span.unit;
    return kNoUnit;
  }
  if (span.listed) unlist(c, span);
  --c.spans;
  c.free_blocks -= span.free_blocks;
  return span.unit;
}

void SmallBlockPool::give(std::uint32_t size_class, void* const* blocks,
                          std::uint32_t count) noexcept {
  Class& c = classes_[size_class];
  std::uint32_t empty[kMaxTransfer];
  std::uint32_t num_empty = 0;
  {
    const std::lock_guard lock(c.mutex);
    const std::uint32_t waiting = c.transfer_count.load(std::memory_order_relaxed);
    const std::uint32_t limit = transfer_limit(size_class);
    const std::uint32_t kept = std::min(count, limit - std::min(limit, waiting));
    std::memcpy(c.transfer + waiting, blocks, kept * sizeof(void*));
    c.transfer_count.store(waiting + kept, std::memory_order_relaxed);
    if (kept < count) {
      const auto now = static_cast<std::uint32_t>(os::coarse_milliseconds());
      for (std::uint32_t i = kept; i < count; ++i) {
        const std::uint32_t unit = put(c, blocks[i], now);
        if (unit != kNoUnit) empty[num_empty++] = unit;
      }
    }
  }
  for (std::uint32_t i = 0; i < num_empty; ++i) release(empty[i]);
}

void SmallBlockPool::give_to_span(std::uint32_t size_class, void* block) noexcept {
  Class& c = classes_[size_class];
  std::uint32_t empty;
  {
    const std::lock_guard lock(c.mutex);
    empty = put(c, block, static_cast<std::uint32_t>(os::coarse_milliseconds()));
  }
  if (empty != kNoUnit) release(empty);
}

bool SmallBlockPool::flush(std::uint32_t first_class) noexcept {
  bool any = false;
  for (std::uint32_t i = first_class; i < kNumClasses; ++i) {
    Class& c = classes_[i];
    std::uint32_t empty[2 * kMaxTransfer];
    std::uint32_t num_empty = 0;
    {
      const std::lock_guard lock(c.mutex);
      const std::uint32_t waiting = c.transfer_count.load(std::memory_order_relaxed);
      any |= waiting > 0;
      const auto now = static_cast<std::uint32_t>(os::coarse_milliseconds());
      for (std::uint32_t k = 0; k < waiting; ++k) {
        const std::uint32_t unit = put(c, c.transfer[k], now);
        if (unit != kNoUnit) empty[num_empty++] = unit;
      }
      c.transfer_count.store(0, std::memory_order_relaxed);
      // The one that is kept, and those that a grow() added but nobody took from: another thread's
      // blocks came in between.
      for (std::uint32_t unit = c.first; unit != kNoUnit && num_empty < 2 * kMaxTransfer;) {
        Span& span = spans_[unit];
        unit = span.next;
        if (span.free_blocks != kSizeClasses[i].span_blocks) continue;
        unlist(c, span);
        --c.spans;
        c.free_blocks -= span.free_blocks;
        empty[num_empty++] = span.unit;
      }
      c.kept = kNoUnit;
      any |= num_empty > 0;
    }
    for (std::uint32_t k = 0; k < num_empty; ++k) release(empty[k]);
  }
  return any;
}

std::uint64_t SmallBlockPool::purge_free_pages(std::uint64_t max_bytes, std::uint64_t min_age_ms,
                                               bool (*out_of_time)(void*), void* context) noexcept {
  const auto now = static_cast<std::uint32_t>(os::coarse_milliseconds());
  std::uint64_t returned = 0;
  for (std::uint32_t i = kNumClasses; i-- > 0;) {
    Class& c = classes_[i];
    const std::lock_guard lock(c.mutex);
    const std::size_t block_bytes = kSizeClasses[i].block_bytes;
    const std::uint32_t num_blocks = kSizeClasses[i].span_blocks;
    for (std::uint32_t unit = c.first; unit != kNoUnit; unit = spans_[unit].next) {
      if (returned >= max_bytes || out_of_time(context)) return returned;
      Span& span = spans_[unit];
      if (!span.changed || now - span.freed_ms < min_age_ms) continue;
      span.changed = false;
      std::uint32_t pages = 0;
      for (std::uint32_t block = 0; block < num_blocks;) {
        const auto is_free = [&](std::uint32_t b) {
          return (span.free_bits[b >> 6] >> (b & 63) & 1) != 0;
        };
        if (!is_free(block)) {
          ++block;
          continue;
        }
        const std::uint32_t first = block;
        while (block < num_blocks && is_free(block)) ++block;
        const std::size_t begin = align_up(first * block_bytes, os::kPageBytes);
        const std::size_t end = block == num_blocks ? kSizeClasses[i].span_units * kUnitBytes
                                                    : (block * block_bytes) & ~(os::kPageBytes - 1);
        if (end <= begin) continue;
        returned += arenas_.purge_counted(start_of(span) + begin, end - begin);
        pages += static_cast<std::uint32_t>((end - begin) / os::kPageBytes);
      }
      const std::uint64_t more = pages > span.purged_pages ? pages - span.purged_pages : 0;
      purged_bytes_.fetch_add(more * os::kPageBytes, std::memory_order_relaxed);
      span.purged_pages += static_cast<std::uint32_t>(more);
    }
  }
  return returned;
}

bool SmallBlockPool::begin_evacuation(std::uint32_t size_class) noexcept {
  Class& c = classes_[size_class];
  const std::lock_guard lock(c.mutex);
  const std::uint32_t per_span = kSizeClasses[size_class].span_blocks;
  if (c.free_blocks < per_span) return false;
  // Spans in use that must stay are as many as the live blocks fill; those that leave are the ones
  // with the fewest live blocks. A threshold on the free count finds them without a sorted copy.
  std::uint64_t leaving = c.free_blocks / per_span;
  bool any = false;
  for (std::uint32_t least_free = per_span - 1; least_free >= 1 && leaving > 0;
       least_free = least_free * 3 / 4) {
    for (std::uint32_t unit = c.first; unit != kNoUnit && leaving > 0;) {
      Span& span = spans_[unit];
      unit = span.next;
      if (span.free_blocks < least_free || span.unit == c.kept) continue;
      unlist(c, span);
      span.evacuating = true;
      --leaving;
      any = true;
    }
  }
  return any;
}

void SmallBlockPool::end_evacuation(std::uint32_t size_class) noexcept {
  Class& c = classes_[size_class];
  const std::lock_guard lock(c.mutex);
  const std::uint32_t span_units = kSizeClasses[size_class].span_units;
  const auto kind = static_cast<std::uint8_t>(kFirstClass + size_class);
  // Spans that are evacuating are on no list: they are found by their units.
  const auto open = static_cast<std::uint32_t>(arenas_.space().open_units);
  for (std::uint32_t unit = 0; unit < open;) {
    if (kinds_[unit].load(std::memory_order_relaxed) != kind) {
      ++unit;
      continue;
    }
    Span& span = spans_[heads_[unit]];
    unit += span_units;
    if (!span.evacuating) continue;
    span.evacuating = false;
    if (span.free_blocks > 0 && !span.listed) list(c, span);
  }
}

SmallBlockPool::ClassFigures SmallBlockPool::figures(std::uint32_t size_class) const {
  const Class& c = classes_[size_class];
  const std::lock_guard lock(c.mutex);
  return {c.spans, std::uint64_t{c.spans} * kSizeClasses[size_class].span_blocks,
          c.free_blocks + c.transfer_count.load(std::memory_order_relaxed)};
}

void SmallBlockPool::lock_all() noexcept {
  for (Class& c : classes_) c.mutex.lock();
  arenas_.mutex().lock();
}

void SmallBlockPool::unlock_all() noexcept {
  arenas_.mutex().unlock();
  for (Class& c : classes_) c.mutex.unlock();
}

void SmallBlockPool::validate() const {
  arenas_.validate();
  for (std::uint32_t i = 0; i < kNumClasses; ++i) {
    const Class& c = classes_[i];
    const std::lock_guard lock(c.mutex);
    std::uint64_t free_blocks = 0;
    for (std::uint32_t unit = c.first, before = kNoUnit; unit != kNoUnit;
         before = unit, unit = spans_[unit].next) {
      const Span& span = spans_[unit];
      std::uint32_t bits = 0;
      for (std::size_t w = 0; w < words(i); ++w)
        bits += static_cast<std::uint32_t>(std::popcount(span.free_bits[w]));
      if (span.size_class != i || span.unit != unit || span.prev != before || !span.listed ||
          bits != span.free_blocks || bits == 0)
        fail(Errc::internal, "small blocks: the records of the span at unit " +
                                 std::to_string(unit) + " contradict each other");
      free_blocks += bits;
    }
    if (free_blocks > c.free_blocks)
      fail(Errc::internal, "small blocks: " + std::to_string(free_blocks) + " blocks of " +
                               std::to_string(kSizeClasses[i].block_bytes) +
                               " bytes are free, counted were " + std::to_string(c.free_blocks));
  }
  if (double_frees() > 0)
    fail(Errc::internal,
         "small blocks: " + std::to_string(double_frees()) + " blocks were given back twice");
}

}  // namespace bitnet::memory
