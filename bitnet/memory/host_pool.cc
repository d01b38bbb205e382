// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/host_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/thread_registry.h"
#include "bitnet/memory/tracking/tracker.h"

namespace bitnet::memory {
namespace {

// From here on a magazine or transfer of a class can hold megabytes.
constexpr std::uint32_t kBigClass = class_of(32 * 1024);

// Large blocks that one lock fetches, and the largest of which it fetches several.
constexpr std::uint32_t kSeveral = 4, kSeveralUnits = (2u << 20) / kUnitBytes;

// The bitmaps of arenas count at most so many units: 64 GiB.
constexpr std::uint32_t kMaxUnits = UnitBitmap::kMaxSize;

// Address space for `limit` bytes of blocks: half as much again, so that fragments do not make a
// limit lower than it says.
std::uint32_t space_units(std::uint64_t limit) noexcept {
  const std::uint64_t wanted = limit / kUnitBytes + limit / kUnitBytes / 2 + kArenaUnits - 1;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kMaxUnits, wanted / kArenaUnits * kArenaUnits));
}

std::uint32_t initial_units(std::uint64_t bytes, std::uint32_t units) noexcept {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(units, bytes / kUnitBytes));
}

}  // namespace

HostPool::HostPool(const HostPoolConfig& config) : config_(config) {
  std::uint32_t small_units = std::max(kArenaUnits, space_units(config.max_small_bytes));
  std::uint32_t large_units = std::max(kArenaUnits, space_units(config.max_large_bytes));
  // Where address space is limited (RLIMIT_AS) less will do: limits stay, fragments weigh more.
  while (!(base_ = static_cast<std::byte*>(os::reserve_pages(
               std::size_t{small_units + large_units} * kUnitBytes, kArenaBytes)))) {
    if (small_units == kArenaUnits && large_units == kArenaUnits)
      fail(Errc::out_of_memory, "memory pool: the system refuses 512 MiB of address space");
    small_units = std::max(kArenaUnits, small_units / 2 / kArenaUnits * kArenaUnits);
    large_units = std::max(kArenaUnits, large_units / 2 / kArenaUnits * kArenaUnits);
  }
  small_units_ = small_units;
  space_bytes_ = std::size_t{small_units + large_units} * kUnitBytes;
  try {
    kinds_ = reinterpret_cast<UnitKinds>(metadata_.take_words((small_units + large_units) / 8));
    require(kinds_ != nullptr, "memory pool: no memory for its tables", Errc::out_of_memory);
    if (config.hardened) {
      live_ = reinterpret_cast<std::uint8_t*>(
          metadata_.take_words(std::size_t{small_units} * kUnitBytes / kGranule / 8));
      require(live_ != nullptr, "memory pool: no memory for its tables", Errc::out_of_memory);
    }
    Arenas::Config small{base_, small_units, config.max_small_bytes / kUnitBytes,
                         initial_units(config.initial_small_bytes, small_units), config.pages};
    // Spans are taken and returned in pieces smaller than a huge page.
    small.pages.huge_pages = false;
    small_ = std::make_unique<SmallBlockPool>(small, metadata_, footprint_, kinds_);
    large_ = std::make_unique<LargeBlockPool>(
        Arenas::Config{base_ + std::size_t{small_units} * kUnitBytes, large_units,
                       config.max_large_bytes / kUnitBytes,
                       initial_units(config.initial_large_bytes, large_units), config.pages},
        metadata_, footprint_, kinds_ + small_units);
    watch_ = config.hardened ? std::uint32_t{kWatchHardened} : 0;
    index_ = register_pool(*this);
  } catch (...) {
    os::unmap_pages(base_, space_bytes_);
    throw;
  }
}

void HostPool::close() noexcept {
  if (std::exchange(closed_, true)) return;
  unregister_pool(index_);
  while (heaps_) {
    ThreadHeap* heap = std::exchange(heaps_, heaps_->next);
    if (heap->ring) tracker_.load()->close_ring(heap->ring);
    delete heap;
  }
}

HostPool::~HostPool() {
  close();
  for (const auto& [block, guarded] : guarded_) os::unmap_pages(guarded.pages, guarded.page_bytes);
  large_.reset();
  small_.reset();
  os::unmap_pages(base_, space_bytes_);
}

ThreadHeap* HostPool::heap() noexcept {
  ThreadHeap*& mine = thread_heaps.heaps[index_];
  if (mine) return mine;
  register_thread();
  auto* heap = new (std::nothrow) ThreadHeap;
  if (!heap) return nullptr;
  const std::lock_guard lock(heaps_mutex_);
  heap->watch.store(watch_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  heap->until_guard = config_.guard_interval;
  heap->next = heaps_;
  heaps_ = heap;
  ++num_heaps_;
  mine = heap;
  return heap;
}

void HostPool::close_heap(ThreadHeap* heap) noexcept {
  flush_heap(*heap, 0);
  settle(*heap, nullptr);
  if (retire_) retire_(*heap);
  if (heap->ring) tracker_.load()->close_ring(heap->ring);
  const std::lock_guard lock(heaps_mutex_);
  retired_.add(heap->counters);
  for (ThreadHeap** at = &heaps_; *at; at = &(*at)->next)
    if (*at == heap) {
      *at = heap->next;
      break;
    }
  --num_heaps_;
  delete heap;
}

void HostPool::adopt_orphans() noexcept {
  ThreadHeap* mine = thread_heaps.heaps[index_];
  for (ThreadHeap* heap = heaps_; heap;) {
    ThreadHeap* next = heap->next;
    if (heap != mine) {
      heap->ring = nullptr;  // whoever drained it exists in the parent alone
      close_heap(heap);
    }
    heap = next;
  }
}

namespace {

// A load before the exchange: nearly always there is nothing to exchange.
bool flush_due(ThreadHeap& heap) noexcept {
  return heap.flush_requested.load(std::memory_order_relaxed) &&
         heap.flush_requested.exchange(false, std::memory_order_relaxed);
}

}  // namespace

void* HostPool::refill(ThreadHeap& heap, std::uint32_t size_class) noexcept {
  if (flush_due(heap)) flush_heap(heap, 0);
  Magazine& magazine = heap.magazines[size_class];
  const std::uint32_t wanted = kSizeClasses[size_class].magazine / 2;
  std::uint32_t taken = small_->take(size_class, magazine.base, wanted);
  // Again where other threads were faster to take the blocks of the new span.
  while (taken == 0) {
    // Memory that is there before memory of the system; what this thread and the threads that
    // passed blocks on do not need may become such.
    if (!small_->grow(size_class, Buddy::From::dirty) &&
        !(flush_big(heap) && small_->grow(size_class, Buddy::From::dirty)) &&
        !small_->grow(size_class, Buddy::From::any))
      return nullptr;
    taken = small_->take(size_class, magazine.base, wanted);
  }
  // Ascending addresses were written; the top is taken first.
  std::reverse(magazine.base, magazine.base + taken);
  magazine.top = magazine.base + taken - 1;
  return *magazine.top;
}

void HostPool::make_room(ThreadHeap& heap, std::uint32_t size_class) noexcept {
  Magazine& magazine = heap.magazines[size_class];
  // The blocks that were freed last stay: they are in the cache.
  const std::uint32_t half = kSizeClasses[size_class].magazine / 2;
  small_->give(size_class, magazine.base, half);
  std::memmove(magazine.base, magazine.base + half, half * sizeof(void*));
  magazine.top = magazine.base + half;
  if (flush_due(heap)) flush_heap(heap, 0);
}

void HostPool::flush_heap(ThreadHeap& heap, std::uint32_t first_class) noexcept {
  for (std::uint32_t i = first_class; i < kNumClasses; ++i) {
    Magazine& magazine = heap.magazines[i];
    const auto count = static_cast<std::uint32_t>(magazine.top - magazine.base);
    if (count == 0) continue;
    small_->give(i, magazine.base, count);
    magazine.top = magazine.base;
  }
  give_large(heap, 0);
}

bool HostPool::give_large(ThreadHeap& heap, std::uint32_t keep) noexcept {
  if (heap.num_large <= keep) return false;
  const std::uint32_t given = heap.num_large - keep;
  large_->give(heap.large.data(), given);
  std::copy(heap.large.begin() + given, heap.large.begin() + heap.num_large, heap.large.begin());
  heap.num_large = keep;
  heap.large_units = 0;
  for (std::uint32_t i = 0; i < keep; ++i) heap.large_units += heap.large[i].units;
  return true;
}

bool HostPool::flush_big(ThreadHeap& heap) noexcept {
  bool any = heap.num_large > 0;
  for (std::uint32_t i = kBigClass; i < kNumClasses && !any; ++i)
    any = heap.magazines[i].top != heap.magazines[i].base;
  flush_heap(heap, kBigClass);
  any |= small_->flush(kBigClass);
  any |= large_->flush();
  return any;
}

void HostPool::flush() noexcept {
  {
    const std::lock_guard lock(heaps_mutex_);
    for (ThreadHeap* heap = heaps_; heap; heap = heap->next)
      heap->flush_requested.store(true, std::memory_order_relaxed);
  }
  if (ThreadHeap* mine = thread_heaps.heaps[index_]) {
    flush_heap(*mine, 0);
    mine->flush_requested.store(false, std::memory_order_relaxed);
  }
  small_->flush(0);
  large_->flush();
}

void* HostPool::allocate_rare(std::size_t bytes, std::size_t alignment, Door door) noexcept {
  ThreadHeap* mine = thread_heaps.heaps[index_];
  // The block that was freed last, before anything else is looked at.
  if (mine && bytes >= kLargeBytes && bytes <= kArenaBytes && alignment <= kUnitBytes &&
      mine->num_large > 0 && std::has_single_bit(alignment)) {
    const LargeBlock& last = mine->large[mine->num_large - 1];
    if (last.units == units_for(bytes) && mine->watch.load(std::memory_order_relaxed) == 0) {
      --mine->num_large;
      mine->large_units -= last.units;
      large_->set_live(last.unit, true);
      void* block = large_->arenas().address(last.unit);
      if constexpr (kPoisoning) unpoison(block, bytes);
      return block;
    }
  }
  if (void* block = allocate_or_fail(bytes, alignment, door)) return block;
  return last_resort_ ? last_resort_(last_resort_context_, bytes, alignment, door) : nullptr;
}

void* HostPool::allocate_or_fail(std::size_t bytes, std::size_t alignment, Door door) noexcept {
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment) return nullptr;
  ThreadHeap* mine = heap();
  if (!mine) return nullptr;
  if (bytes < kLargeBytes && alignment <= kUnitBytes)
    return serve_slow(*mine, bytes, alignment,
                      class_of(aligned_size(bytes + (bytes == 0), alignment)), door);
  void* block = allocate_large(*mine, bytes, alignment);
  if (!block) return nullptr;
  if constexpr (kPoisoning)
    if (contains(block)) unpoison(block, bytes);
  count_allocation(*mine, block, bytes, kNumClasses, door);
  return block;
}

void* HostPool::allocate_large(ThreadHeap& heap, std::size_t bytes,
                               std::size_t alignment) noexcept {
  if (bytes > kArenaBytes) return large_->map(bytes, alignment);
  const std::uint32_t units = std::max(1u, units_for(bytes));
  const std::uint32_t align = std::max(1u, units_for(alignment));
  const auto serve = [&](std::uint32_t unit) {
    large_->set_live(unit, true);
    return large_->arenas().address(unit);
  };
  for (std::uint32_t i = heap.num_large; i-- > 0;)
    if (heap.large[i].units == units && heap.large[i].unit % align == 0) {
      const std::uint32_t unit = heap.large[i].unit;
      heap.large[i] = heap.large[--heap.num_large];
      heap.large_units -= units;
      return serve(unit);
    }
  if (flush_due(heap)) flush_heap(heap, 0);
  if (align == 1) {
    LargeBlock blocks[4];
    const std::uint32_t room = ThreadHeap::kMaxLarge - heap.num_large;
    const std::uint32_t count = large_->take_recent(units, blocks, std::min(4u, 1 + room));
    for (std::uint32_t i = 1; i < count; ++i) {
      heap.large[heap.num_large++] = blocks[i];
      heap.large_units += units;
    }
    if (count > 0) return serve(blocks[0].unit);
  }
  if (align == 1 && units <= kSeveralUnits) {
    // Several at a time: memory that is there and waits at hand is no more memory.
    LargeBlock blocks[kSeveral];
    const std::uint32_t count = large_->take_some(
        units, blocks, std::min(kSeveral, 1 + ThreadHeap::kMaxLarge - heap.num_large));
    for (std::uint32_t i = 1; i < count; ++i) {
      heap.large[heap.num_large++] = blocks[i];
      heap.large_units += units;
    }
    if (count > 0) return serve(blocks[0].unit);
  }
  std::uint32_t unit = large_->take(units, align, Buddy::From::dirty);
  if (unit == kNoUnit && flush_big(heap)) unit = large_->take(units, align, Buddy::From::dirty);
  if (unit == kNoUnit) unit = large_->take(units, align, Buddy::From::any);
  if (unit == kNoUnit) return large_->map(bytes, alignment);
  return serve(unit);
}

FreeFault HostPool::deallocate_rare(void* block, std::size_t bytes, Door door) noexcept {
  if (ThreadHeap* last = thread_heaps.heaps[index_]; last && contains(block)) {
    const std::size_t at = offset_of(block);
    if (kind_at(at) == kLargeBlock && at % kUnitBytes == 0 &&
        last->num_large < ThreadHeap::kMaxLarge &&
        last->watch.load(std::memory_order_relaxed) == 0) {
      const auto unit = static_cast<std::uint32_t>(at / kUnitBytes) - small_units_;
      const std::uint32_t units = large_->units_at(unit);
      if (last->num_large == 0 || last->large_units + units <= ThreadHeap::kMaxLargeUnits) {
        large_->set_live(unit, false);
        if constexpr (kPoisoning) poison(block, std::size_t{units} * kUnitBytes);
        last->large[last->num_large++] = {unit, units};
        last->large_units += units;
        return FreeFault::none;
      }
    }
  }
  ThreadHeap* mine = heap();
  if (!mine) return FreeFault::foreign;
  if (!contains(block)) return deallocate_mapped(*mine, block, bytes, door);
  const std::size_t offset = offset_of(block);
  const std::uint8_t kind = kind_at(offset);
  if (kind != kNoBlock && kind != kLargeBlock)
    return door == Door::raw ? deallocate<Door::raw>(block, bytes)
                             : deallocate<Door::handle>(block, bytes);
  if (kind == kNoBlock || offset % kUnitBytes != 0) return FreeFault::foreign;
  const std::uint32_t unit = large_->arenas().unit_of(block);
  const std::uint32_t units = large_->units_at(unit);
  count_free(*mine, block, bytes, door);
  large_->set_live(unit, false);
  if constexpr (kPoisoning) poison(block, std::size_t{units} * kUnitBytes);
  if (mine->num_large == ThreadHeap::kMaxLarge) give_large(*mine, ThreadHeap::kMaxLarge / 2);
  mine->large[mine->num_large++] = {unit, units};
  mine->large_units += units;
  if (mine->large_units > ThreadHeap::kMaxLargeUnits) give_large(*mine, 1);
  return FreeFault::none;
}

FreeFault HostPool::deallocate_mapped(ThreadHeap& heap, void* block, std::size_t bytes,
                                      Door door) noexcept {
  if (config_.guard_interval > 0) {
    const std::lock_guard lock(guarded_mutex_);
    const auto found = std::find_if(guarded_.begin(), guarded_.end(),
                                    [&](const auto& entry) { return entry.first == block; });
    if (found != guarded_.end()) {
      if (found->second.bytes != bytes) return FreeFault::overrun;
      os::unmap_pages(found->second.pages, found->second.page_bytes);
      guarded_.erase(found);
      count_free(heap, block, bytes, door);
      return FreeFault::none;
    }
  }
  if (large_->unmap(block) == 0) return FreeFault::foreign;
  count_free(heap, block, bytes, door);
  return FreeFault::none;
}

bool HostPool::contains(const void* block) const noexcept {
  return offset_of(block) < space_bytes_;
}

std::size_t HostPool::block_bytes(const void* block) const noexcept {
  if (!contains(block)) {
    const std::size_t mapped = large_->mapped_size(block);
    if (mapped || config_.guard_interval == 0) return mapped;
    const std::lock_guard lock(guarded_mutex_);
    for (const auto& [address, guarded] : guarded_)
      if (address == block) return guarded.bytes;
    return 0;
  }
  const std::size_t offset = offset_of(block);
  const std::uint8_t kind = kind_at(offset);
  if (kind == kNoBlock) return 0;
  if (kind == kLargeBlock)
    return offset % kUnitBytes
               ? 0
               : std::size_t{large_->units_at(large_->arenas().unit_of(block))} * kUnitBytes;
  Span& span = small_->span_of(block);
  const std::uint32_t index = small_->index_of(span, block);
  const std::size_t size = kSizeClasses[span.size_class].block_bytes;
  return small_->start_of(span) + index * size == block &&
                 index < kSizeClasses[span.size_class].span_blocks
             ? size
             : 0;
}

bool HostPool::may_hold(const void* block, std::size_t bytes) const noexcept {
  if (!contains(block)) return block_bytes(block) >= bytes;
  const std::size_t offset = offset_of(block);
  const std::uint8_t kind = kind_at(offset);
  if (kind == kNoBlock) return false;
  return kind == kLargeBlock ? offset % kUnitBytes == 0
                             : kSizeClasses[kind - kFirstClass].block_bytes >= bytes;
}

HostPool::Counts HostPool::counts() const {
  const std::lock_guard lock(heaps_mutex_);
  Counts sum = retired_;
  for (const ThreadHeap* heap = heaps_; heap; heap = heap->next) sum.add(heap->counters);
  return sum;
}

void HostPool::Counts::add(const HeapCounters& heap) noexcept {
  allocations += heap.allocations.get();
  frees += heap.frees.get();
  bytes += heap.bytes.get();
  freed_bytes += heap.freed_bytes.get();
  handles += heap.handles.get();
  freed_handles += heap.freed_handles.get();
  handle_bytes += heap.handle_bytes.get();
  for (std::uint32_t i = 0; i < kNumClasses; ++i)
    class_allocations[i] += heap.class_allocations[i].get();
}

std::uint64_t HostPool::metadata_bytes() const noexcept {
  const std::lock_guard lock(heaps_mutex_);
  return metadata_.bytes() + num_heaps_ * sizeof(ThreadHeap);
}

void HostPool::validate() const {
  small_->validate();
  large_->validate();
}

void HostPool::lock_all() noexcept {
  heaps_mutex_.lock();
  small_->lock_all();
  large_->lock_all();
  guarded_mutex_.lock();
  metadata_.mutex().lock();
}

void HostPool::unlock_all() noexcept {
  metadata_.mutex().unlock();
  guarded_mutex_.unlock();
  large_->unlock_all();
  small_->unlock_all();
  heaps_mutex_.unlock();
}

}  // namespace bitnet::memory
