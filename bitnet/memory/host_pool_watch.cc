// SPDX-License-Identifier: MIT OR Apache-2.0
// What HostPool does beside handing out blocks: counters, events, the checks of the hardened mode.
#include <algorithm>
#include <cstring>

#include "bitnet/base/os/memory.h"
#include "bitnet/memory/host_pool.h"

namespace bitnet::memory {
namespace {

// A thread adds its live bytes to the pool's sum when they changed by so much.
constexpr std::int64_t kLeaseBytes = 256 * 1024;

// Behind a block's end as asked for, where its class leaves room.
constexpr std::size_t kCanaryBytes = 16;
constexpr unsigned char kCanary = 0xC5;

std::size_t canary_bytes(std::size_t bytes, std::uint32_t size_class) noexcept {
  return std::min(kCanaryBytes, kSizeClasses[size_class].block_bytes - bytes);
}

bool canary_intact(const void* block, std::size_t bytes, std::uint32_t size_class) noexcept {
  const std::size_t count = canary_bytes(bytes, size_class);
  const auto* canary = static_cast<const unsigned char*>(block) + bytes;
  return std::all_of(canary, canary + count, [](unsigned char c) { return c == kCanary; });
}

}  // namespace

void HostPool::set_watch(std::uint32_t bits, HostPoolObserver* observer) noexcept {
  if (config_.hardened) bits |= kWatchHardened;
  const std::lock_guard lock(heaps_mutex_);
  if (observer) observer_.store(observer);
  watch_.store(bits, std::memory_order_relaxed);
  for (ThreadHeap* heap = heaps_; heap; heap = heap->next)
    heap->watch.store(bits, std::memory_order_relaxed);
}

void HostPool::settle(ThreadHeap& heap) noexcept {
  const std::int64_t live =
      live_.fetch_add(heap.leased_bytes, std::memory_order_relaxed) + heap.leased_bytes;
  heap.leased_bytes = 0;
  std::int64_t peak = peak_.load(std::memory_order_relaxed);
  while (live > peak && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
}

std::int64_t HostPool::live_bytes() const noexcept { return live_.load(std::memory_order_relaxed); }

void HostPool::ring_for(ThreadHeap& heap) noexcept {
  if (HostPoolObserver* observer = observer_.load())
    heap.ring.store(observer->open_ring(), std::memory_order_relaxed);
}

void HostPool::count_allocation(ThreadHeap& heap, const void* block, std::size_t bytes,
                                std::uint32_t size_class) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  heap.counters.allocations.add(1);
  heap.counters.bytes.add(bytes);
  if (!(watch & kWatchClasses)) return;
  if (size_class < kNumClasses) heap.counters.class_allocations[size_class].add(1);
  heap.leased_bytes += static_cast<std::int64_t>(bytes);
  if (heap.leased_bytes > kLeaseBytes) settle(heap);
  if (!(watch & kWatchEvents)) return;
  if (!heap.ring.load(std::memory_order_relaxed)) ring_for(heap);
  if (heap.ring.load(std::memory_order_relaxed))
    observer_.load(std::memory_order_relaxed)->on_block(heap, EventKind::allocate, block, bytes);
}

void HostPool::count_free(ThreadHeap& heap, const void* block, std::size_t bytes) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  heap.counters.frees.add(1);
  heap.counters.freed_bytes.add(bytes);
  if (!(watch & kWatchClasses)) return;
  heap.leased_bytes -= static_cast<std::int64_t>(bytes);
  if (heap.leased_bytes < -kLeaseBytes) settle(heap);
  if (!(watch & kWatchEvents)) return;
  if (!heap.ring.load(std::memory_order_relaxed)) ring_for(heap);
  if (heap.ring.load(std::memory_order_relaxed))
    observer_.load(std::memory_order_relaxed)->on_block(heap, EventKind::free, block, bytes);
}

void* HostPool::watch_allocation(ThreadHeap& heap, void* block, std::size_t bytes,
                                 std::size_t alignment) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(block) - base_);
  const std::uint32_t size_class =
      kinds_[offset / kUnitBytes].load(std::memory_order_relaxed) - std::uint32_t{kFirstClass};
  if (watch & kWatchHardened) {
    if (heap.until_guard > 0 && --heap.until_guard == 0) {
      heap.until_guard = config_.guard_interval;
      if (void* guarded = allocate_guarded(bytes, alignment)) {
        *heap.magazines[size_class].top++ = block;  // it came from there
        if constexpr (kPoisoning) poison(block, bytes);
        if (watch & kWatchCounts) count_allocation(heap, guarded, bytes, size_class);
        return guarded;
      }
    }
    Span& span = small_->span_of(block);
    span.states[small_->index_of(span, block)] = BlockState::live;
    const std::size_t canary = canary_bytes(bytes, size_class);
    if (canary > 0) {
      if constexpr (kPoisoning) unpoison(block, bytes + canary);
      std::memset(static_cast<std::byte*>(block) + bytes, kCanary, canary);
      if constexpr (kPoisoning) poison(static_cast<std::byte*>(block) + bytes, canary);
    }
  }
  if (watch & kWatchCounts) count_allocation(heap, block, bytes, size_class);
  return block;
}

FreeFault HostPool::watch_free(ThreadHeap& heap, void* block, std::size_t bytes,
                               std::uint32_t size_class) noexcept {
  const std::uint32_t watch = heap.watch.load(std::memory_order_relaxed);
  if (watch & kWatchHardened) {
    Span& span = small_->span_of(block);
    const std::uint32_t index = small_->index_of(span, block);
    if (small_->start_of(span) + std::size_t{index} * kSizeClasses[size_class].block_bytes !=
        static_cast<std::byte*>(block))
      return FreeFault::foreign;
    if (span.states[index] != BlockState::live) return FreeFault::not_live;
    if (bytes > kSizeClasses[size_class].block_bytes) return FreeFault::overrun;
    if constexpr (kPoisoning) unpoison(block, kSizeClasses[size_class].block_bytes);
    if (!canary_intact(block, bytes, size_class)) return FreeFault::overrun;
    span.states[index] = BlockState::free;
  }
  if (watch & kWatchCounts) count_free(heap, block, bytes);
  return FreeFault::none;
}

void* HostPool::allocate_guarded(std::size_t bytes, std::size_t alignment) noexcept {
  const std::size_t page_bytes =
      ((std::max<std::size_t>(bytes, 1) + os::kPageBytes - 1) & ~(os::kPageBytes - 1)) +
      os::kPageBytes;
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
