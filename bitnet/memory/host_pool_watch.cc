// SPDX-License-Identifier: MIT OR Apache-2.0
// What HostPool does beside handing out blocks: counters, events, the checks of the hardened mode.
#include <algorithm>

#include "bitnet/base/checked.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/host_pool.h"
#include "bitnet/memory/tracking/tracker.h"

namespace bitnet::memory {
namespace {

// Behind a block's end as asked for, where its class leaves room.
constexpr std::size_t kCanaryBytes = 16;

// Byte i of them; computed, as a call to memcpy for a few bytes costs more than the bytes.
constexpr std::byte canary(std::size_t i) noexcept {
  return static_cast<std::byte>(0xC5 + 0x75 * i);
}

void write_canary(std::byte* end, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) end[i] = canary(i);
}

bool canary_intact(const std::byte* end, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i)
    if (end[i] != canary(i)) return false;
  return true;
}

std::size_t canary_bytes(std::size_t bytes, std::uint32_t size_class) noexcept {
  return std::min(kCanaryBytes, kSizeClasses[size_class].block_bytes - bytes);
}

}  // namespace

void HostPool::set_watch(std::uint32_t bits, Tracker* tracker) noexcept {
  if (config_.hardened) bits |= kWatchHardened;
  const std::lock_guard lock(heaps_mutex_);
  if (tracker) tracker_.store(tracker);
  watch_.store(bits, std::memory_order_relaxed);
  for (ThreadHeap* heap = heaps_; heap; heap = heap->next)
    heap->watch.store(bits, std::memory_order_relaxed);
}

void* HostPool::settle(ThreadHeap& heap, void* block) noexcept {
  const std::int64_t more = heap.counters.unsettled();
  const std::int64_t raw = raw_live_.fetch_add(more, std::memory_order_relaxed) + more;
  heap.counters.settled_bytes += more;
  note_peak(raw + handle_live_bytes());
  return block;
}

FreeFault HostPool::settle_free(ThreadHeap& heap) noexcept {
  settle(heap, nullptr);
  return FreeFault::none;
}

EventRing* HostPool::open_ring(ThreadHeap& heap) noexcept {
  if (Tracker* tracker = tracker_.load()) heap.ring = tracker->open_ring();
  return heap.ring;
}

void HostPool::count_allocation(ThreadHeap& heap, void* block, std::size_t bytes,
                                std::uint32_t size_class, Door door) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  if (!(watch & kWatchCounts)) return;
  if (door == Door::raw) heap.counters.allocated(bytes);
  if (!(watch & kWatchClasses)) return;
  if (size_class < kNumClasses) heap.counters.class_allocations[size_class].add(1);
  if (heap.counters.unsettled() > HeapCounters::kLeaseBytes) settle(heap, block);
  if (!(watch & kWatchEvents)) return;
  if (EventRing* ring = heap.ring ? heap.ring : open_ring(heap))
    tracker_.load(std::memory_order_relaxed)
        ->record_allocation(*ring, reinterpret_cast<std::uint64_t>(block), bytes);
}

void HostPool::count_free(ThreadHeap& heap, void* block, std::size_t bytes, Door door) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  if (!(watch & kWatchCounts)) return;
  if (door == Door::raw) heap.counters.freed(bytes);
  if (!(watch & kWatchClasses)) return;
  if (heap.counters.unsettled() < -HeapCounters::kLeaseBytes) settle(heap, block);
  if (!(watch & kWatchEvents)) return;
  if (EventRing* ring = heap.ring ? heap.ring : open_ring(heap))
    tracker_.load(std::memory_order_relaxed)
        ->record_free(*ring, reinterpret_cast<std::uint64_t>(block), bytes);
}

void* HostPool::allocate_slow(ThreadHeap& heap, std::size_t bytes, std::size_t alignment,
                              std::uint32_t size_class, Door door) noexcept {
  if (void* block = serve_slow(heap, bytes, alignment, size_class, door)) return block;
  return last_resort_ ? last_resort_(last_resort_context_, bytes, alignment, door) : nullptr;
}

// Flattened: events and the hardened mode are paid for each block, so calls would count.
[[gnu::flatten]] void* HostPool::serve_slow(ThreadHeap& heap, std::size_t bytes,
                                            std::size_t alignment, std::uint32_t size_class,
                                            Door door) noexcept {
  Magazine& magazine = heap.magazines[size_class];
  void* block = magazine.top != magazine.base ? *--magazine.top : refill(heap, size_class);
  if (!block) return nullptr;
  if constexpr (kPoisoning) unpoison(block, bytes);
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  if (watch & kWatchHardened) block = allocate_hardened(heap, block, bytes, alignment, size_class);
  count_allocation(heap, block, bytes, size_class, door);
  return block;
}

[[gnu::flatten]] FreeFault HostPool::deallocate_slow(ThreadHeap& heap, void* block,
                                                     std::size_t bytes, std::uint32_t size_class,
                                                     Door door) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  if (watch & kWatchHardened)
    if (const FreeFault fault = check_free(block, bytes, size_class); fault != FreeFault::none)
      return fault;
  count_free(heap, block, bytes, door);
  if constexpr (kPoisoning) poison(block, kSizeClasses[size_class].block_bytes);
  Magazine& magazine = heap.magazines[size_class];
  if (magazine.top == magazine.limit) make_room(heap, size_class);
  *magazine.top++ = block;
  return FreeFault::none;
}

void* HostPool::allocate_hardened(ThreadHeap& heap, void* block, std::size_t bytes,
                                  std::size_t alignment, std::uint32_t size_class) noexcept {
  if (heap.until_guard > 0 && --heap.until_guard == 0) [[unlikely]] {
    heap.until_guard = config_.guard_interval;
    if (void* guarded = allocate_guarded(bytes, alignment)) {
      if constexpr (kPoisoning) poison(block, bytes);
      *heap.magazines[size_class].top++ = block;  // it came from there
      return guarded;
    }
  }
  live_mark(block) = 1;
  if (const std::size_t count = canary_bytes(bytes, size_class); count > 0) {
    std::byte* end = static_cast<std::byte*>(block) + bytes;
    if constexpr (kPoisoning) unpoison(block, bytes + count);
    write_canary(end, count);
    if constexpr (kPoisoning) poison(end, count);
  }
  return block;
}

FreeFault HostPool::check_free(void* block, std::size_t bytes, std::uint32_t size_class) noexcept {
  std::uint8_t& live = live_mark(block);
  if (live == 0 || reinterpret_cast<std::uintptr_t>(block) % kGranule != 0) {
    // Inside a block no other can begin: what is not a block's begin was never handed out.
    const Span& span = small_->span_of(block);
    const std::uint32_t index = small_->index_of(span, block);
    return small_->start_of(span) + std::size_t{index} * kSizeClasses[size_class].block_bytes ==
                   block
               ? FreeFault::not_live
               : FreeFault::foreign;
  }
  if (bytes > kSizeClasses[size_class].block_bytes) return FreeFault::overrun;
  if (const std::size_t count = canary_bytes(bytes, size_class); count > 0) {
    std::byte* end = static_cast<std::byte*>(block) + bytes;
    if constexpr (kPoisoning) unpoison(end, count);
    if (!canary_intact(end, count)) return FreeFault::overrun;
  }
  live = 0;
  return FreeFault::none;
}

void HostPool::deallocate_to_span(void* block, std::size_t bytes) noexcept {
  ThreadHeap* mine = heap();
  const std::uint32_t size_class = small_->span_of(block).size_class;
  if (watch() & kWatchHardened) check_free(block, bytes, size_class);
  if (mine) count_free(*mine, block, bytes, Door::handle);
  if constexpr (kPoisoning) poison(block, kSizeClasses[size_class].block_bytes);
  small_->give_to_span(size_class, block);
}

bool HostPool::intact(const void* block, std::size_t bytes) const noexcept {
  if (!contains(block)) return true;
  const std::uint32_t size_class = kind_at(offset_of(block)) - std::uint32_t{kFirstClass};
  if (size_class >= kNumClasses) return true;
  const std::size_t count = canary_bytes(bytes, size_class);
  const std::byte* end = static_cast<const std::byte*>(block) + bytes;
  if constexpr (kPoisoning) unpoison(end, count);
  const bool same = canary_intact(end, count);
  if constexpr (kPoisoning) poison(end, count);
  return same;
}

void* HostPool::allocate_guarded(std::size_t bytes, std::size_t alignment) noexcept {
  if (alignment > os::kPageBytes) return nullptr;
  const std::size_t page_bytes =
      align_up(std::max<std::size_t>(bytes, 1), os::kPageBytes) + os::kPageBytes;
  auto* pages = static_cast<std::byte*>(os::map_pages(page_bytes, os::kPageBytes));
  if (!pages) return nullptr;
  // The block ends at the forbidden page, but for what its alignment asks.
  const std::size_t end = page_bytes - os::kPageBytes;
  std::byte* block = pages + ((end - bytes) & ~(alignment - 1));
  const std::lock_guard lock(guarded_mutex_);
  try {
    guarded_.push_back({block, {pages, page_bytes, bytes}});
  } catch (const std::bad_alloc&) {
    os::unmap_pages(pages, page_bytes);
    return nullptr;
  }
  os::forbid_pages(pages + end, os::kPageBytes);
  return block;
}

}  // namespace bitnet::memory
