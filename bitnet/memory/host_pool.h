// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks of the host's memory: small and large blocks behind a heap for each thread. What
// HybridMemoryPool's handles and its raw front door stand on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "bitnet/memory/large_block_pool.h"
#include "bitnet/memory/poison.h"
#include "bitnet/memory/small_block_pool.h"
#include "bitnet/memory/thread_heap.h"

namespace bitnet {
class Tracker;
}

namespace bitnet::memory {

inline constexpr std::size_t kMaxHostPools = 64;

/// A thread's heaps, by the pool's number; null before its first block of a pool.
struct ThreadHeaps {
  ThreadHeap* heaps[kMaxHostPools] = {};
  ThreadHeaps* next = nullptr;  // of the registry's list
  bool registered = false;
};
// Static storage of the thread without a guard or an indirection: the first load of each call.
extern thread_local constinit ThreadHeaps thread_heaps __attribute__((tls_model("initial-exec")));

enum class FreeFault : std::uint8_t {
  none,
  foreign,   // no block of this pool begins there
  not_live,  // hardened mode: the block is free
  overrun,   // hardened mode: bytes behind its end were written, or its size is wrong
};

struct HostPoolConfig {
  std::uint64_t initial_small_bytes = 0, max_small_bytes = 0;
  std::uint64_t initial_large_bytes = 0, max_large_bytes = 0;
  PageOptions pages;
  bool hardened = false;
  /// Hardened mode: one block of so many ends at a page that nobody may touch; 0: none.
  std::uint32_t guard_interval = 0;
};

/// Thread-safe. At most kMaxHostPools exist at a time.
class HostPool {
 public:
  /// Throws Error{out_of_memory} where the system refuses address space, Error{unsupported} where
  /// there are too many pools.
  explicit HostPool(const HostPoolConfig& config);
  /// close(). Blocks that are live cease to exist.
  ~HostPool();
  /// Takes all threads' heaps away and closes their rings, so that a thread that ends from now on
  /// touches neither this pool nor its tracker. No thread may be in a call, now or later.
  void close() noexcept;
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  /// Who asked: blocks of handles are counted by the one who makes the handle.
  enum class Door { raw, handle };

  /// A block of `bytes` (0 counts as 1) at a multiple of `alignment`, a power of two up to 2 MiB;
  /// nullptr when out of memory, at a limit, or where the alignment is none.
  template <Door kDoor = Door::raw>
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    ThreadHeap* heap = thread_heaps.heaps[index_];
    // One test for what is rare: large, an alignment that spans do not have, or one that is none.
    const bool rare = heap == nullptr || bytes >= kLargeBytes || alignment - 1 >= kUnitBytes ||
                      (alignment & (alignment - 1)) != 0;
    if (rare) [[unlikely]]
      return allocate_rare(bytes, alignment, kDoor);
    const std::uint32_t size_class = class_of_some(aligned_size(bytes + (bytes == 0), alignment));
    Magazine& magazine = heap->magazines[size_class];
    const std::uint32_t watch = heap->watch.load(std::memory_order_relaxed);
    // Whatever needs more than this is a tail call, so that this needs no stack.
    if (magazine.top == magazine.base || watch >= kWatchEvents) [[unlikely]]
      return allocate_slow(*heap, bytes, alignment, size_class, kDoor);
    void* block = *--magazine.top;
    if constexpr (kPoisoning) unpoison(block, bytes);
    if (watch != 0) {
      if (kDoor == Door::raw) heap->counters.allocated(bytes);
      if (watch & kWatchClasses) {
        heap->counters.class_allocations[size_class].add(1);
        if (heap->counters.unsettled() > HeapCounters::kLeaseBytes) [[unlikely]]
          return settle(*heap, block);
      }
    }
    return block;
  }

  /// `bytes` and `kDoor` as the block was asked for.
  template <Door kDoor = Door::raw>
  FreeFault deallocate(void* block, std::size_t bytes) noexcept {
    ThreadHeap* heap = thread_heaps.heaps[index_];
    const std::size_t offset = offset_of(block);
    if (heap == nullptr || offset >= space_bytes_) [[unlikely]]
      return deallocate_rare(block, bytes, kDoor);
    const std::uint32_t size_class = kind_at(offset) - std::uint32_t{kFirstClass};
    if (size_class >= kNumClasses) [[unlikely]]
      return deallocate_rare(block, bytes, kDoor);
    Magazine& magazine = heap->magazines[size_class];
    const std::uint32_t watch = heap->watch.load(std::memory_order_relaxed);
    if (magazine.top == magazine.limit || watch >= kWatchEvents) [[unlikely]]
      return deallocate_slow(*heap, block, bytes, size_class, kDoor);
    if constexpr (kPoisoning) poison(block, kSizeClasses[size_class].block_bytes);
    *magazine.top++ = block;
    if (watch != 0 && kDoor == Door::raw) {
      heap->counters.freed(bytes);
      if ((watch & kWatchClasses) && heap->counters.unsettled() < -HeapCounters::kLeaseBytes)
          [[unlikely]]
        return settle_free(*heap);
    }
    return FreeFault::none;
  }

  /// As deallocate<Door::handle>() of a small block, past all magazines.
  void deallocate_to_span(void* block, std::size_t bytes) noexcept;

  /// Whether `block` lies in memory of this pool.
  bool contains(const void* block) const noexcept;
  /// Bytes of the block that begins at `block`, handed out or not; 0 where none does. The block is
  /// the caller's, or nobody allocates meanwhile.
  std::size_t block_bytes(const void* block) const noexcept;

  /// Whether memory at `block` is in use and may hold a block of `bytes`; unlike block_bytes() also
  /// while other threads allocate and free.
  bool may_hold(const void* block, std::size_t bytes) const noexcept;

  /// What to count, from now on; `tracker` takes the events.
  void set_watch(std::uint32_t bits, Tracker* tracker) noexcept;
  std::uint32_t watch() const noexcept { return watch_.load(std::memory_order_relaxed); }

  /// Empties the calling thread's heap and what is shared, and asks the other threads to empty
  /// theirs at their next slow path.
  void flush() noexcept;

  struct Counts {
    std::uint64_t allocations = 0, frees = 0, bytes = 0, freed_bytes = 0;
    std::uint64_t handles = 0, freed_handles = 0, handle_bytes = 0;
    std::array<std::uint64_t, kNumClasses> class_allocations{};
    void add(const HeapCounters& heap) noexcept;
  };
  Counts counts() const;
  /// A handle's bytes came or went; returns the live bytes of all handles.
  std::int64_t add_handle_bytes(std::int64_t bytes) noexcept {
    const std::int64_t live = handle_live_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (bytes > 0) note_peak(live + raw_live_.load(std::memory_order_relaxed));
    return live;
  }
  /// As above, unless the sum would exceed `limit`: then nothing changes and it is false.
  bool add_handle_bytes_below(std::int64_t bytes, std::int64_t limit) noexcept {
    std::int64_t live = handle_live_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit || live > limit - bytes) return false;
    } while (!handle_live_.compare_exchange_weak(live, live + bytes, std::memory_order_relaxed));
    note_peak(live + bytes + raw_live_.load(std::memory_order_relaxed));
    return true;
  }
  std::int64_t handle_live_bytes() const noexcept {
    return handle_live_.load(std::memory_order_relaxed);
  }
  /// Most live bytes so far: of handles exact, of the raw front door to 256 KiB a thread and from
  /// TrackingLevel::standard up.
  std::int64_t peak_bytes() const noexcept { return peak_.load(std::memory_order_relaxed); }
  void note_peak(std::int64_t live) noexcept {
    std::int64_t peak = peak_.load(std::memory_order_relaxed);
    while (live > peak && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
  }

  SmallBlockPool& small() noexcept { return *small_; }
  const SmallBlockPool& small() const noexcept { return *small_; }
  LargeBlockPool& large() noexcept { return *large_; }
  const LargeBlockPool& large() const noexcept { return *large_; }
  Footprint& footprint() noexcept { return footprint_; }
  std::uint64_t metadata_bytes() const noexcept;

  /// Hardened mode: whether the bytes behind a live block of `bytes` are as they were left.
  bool intact(const void* block, std::size_t bytes) const noexcept;

  /// The calling thread's heap; nullptr when out of memory.
  ThreadHeap* heap() noexcept;
  /// Asked where an allocation found no memory: frees some and tries allocate_or_fail(), or
  /// nullptr.
  using LastResort = void* (*)(void* context, std::size_t bytes, std::size_t alignment, Door door);
  void set_last_resort(LastResort last_resort, void* context) noexcept {
    last_resort_ = last_resort;
    last_resort_context_ = context;
  }
  /// As allocate(), without asking the last resort.
  void* allocate_or_fail(std::size_t bytes, std::size_t alignment, Door door) noexcept;

  /// What a thread's heap holds for others when the thread ends.
  void set_retire(std::function<void(ThreadHeap&)> retire) { retire_ = std::move(retire); }

  /// Throws Error{internal} where records contradict each other.
  void validate() const;

  void lock_all() noexcept;
  void unlock_all() noexcept;
  /// In the child of a fork: heaps of threads that are no more give back what they held.
  void adopt_orphans() noexcept;
  void close_heap(ThreadHeap* heap) noexcept;

 private:
  void* allocate_rare(std::size_t bytes, std::size_t alignment, Door door) noexcept;
  void* allocate_large(ThreadHeap& heap, std::size_t bytes, std::size_t alignment) noexcept;
  [[gnu::noinline]] void* allocate_guarded(std::size_t bytes, std::size_t alignment) noexcept;
  FreeFault deallocate_rare(void* block, std::size_t bytes, Door door) noexcept;
  FreeFault deallocate_mapped(ThreadHeap& heap, void* block, std::size_t bytes, Door door) noexcept;
  [[gnu::noinline]] void* refill(ThreadHeap& heap, std::uint32_t size_class) noexcept;
  [[gnu::noinline]] void make_room(ThreadHeap& heap, std::uint32_t size_class) noexcept;
  bool flush_big(ThreadHeap& heap) noexcept;
  bool give_large(ThreadHeap& heap, std::uint32_t keep) noexcept;
  void flush_heap(ThreadHeap& heap, std::uint32_t first_class) noexcept;
  void* serve_slow(ThreadHeap& heap, std::size_t bytes, std::size_t alignment,
                   std::uint32_t size_class, Door door) noexcept;
  void* allocate_slow(ThreadHeap& heap, std::size_t bytes, std::size_t alignment,
                      std::uint32_t size_class, Door door) noexcept;
  FreeFault deallocate_slow(ThreadHeap& heap, void* block, std::size_t bytes,
                            std::uint32_t size_class, Door door) noexcept;
  void* allocate_hardened(ThreadHeap& heap, void* block, std::size_t bytes, std::size_t alignment,
                          std::uint32_t size_class) noexcept;
  /// Beyond space_bytes_ for what is not of this pool's address space.
  std::size_t offset_of(const void* block) const noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(block) - base_);
  }
  std::uint8_t kind_at(std::size_t offset) const noexcept {
    return kinds_[offset / kUnitBytes].load(std::memory_order_relaxed);
  }
  std::uint8_t& live_mark(const void* block) const noexcept {
    return live_[offset_of(block) / kGranule];
  }
  FreeFault check_free(void* block, std::size_t bytes, std::uint32_t size_class) noexcept;
  void count_allocation(ThreadHeap& heap, void* block, std::size_t bytes, std::uint32_t size_class,
                        Door door) noexcept;
  void count_free(ThreadHeap& heap, void* block, std::size_t bytes, Door door) noexcept;
  /// Returns `block`.
  [[gnu::noinline]] void* settle(ThreadHeap& heap, void* block) noexcept;
  FreeFault settle_free(ThreadHeap& heap) noexcept;
  [[gnu::noinline]] EventRing* open_ring(ThreadHeap& heap) noexcept;

  std::size_t index_ = 0;
  bool closed_ = false;
  std::byte* base_ = nullptr;
  std::size_t space_bytes_ = 0;
  UnitKinds kinds_ = nullptr;
  HostPoolConfig config_;
  Metadata metadata_;
  Footprint footprint_;
  std::unique_ptr<SmallBlockPool> small_;
  std::unique_ptr<LargeBlockPool> large_;
  // Hardened mode: for every 16 bytes of small blocks, whether a live block begins there. A byte,
  // not a bit: threads mark blocks side by side.
  static constexpr std::size_t kGranule = 16;
  std::uint8_t* live_ = nullptr;
  std::uint32_t small_units_ = 0;
  std::atomic<std::uint32_t> watch_{0};
  std::atomic<Tracker*> tracker_{nullptr};
  std::function<void(ThreadHeap&)> retire_;
  LastResort last_resort_ = nullptr;
  void* last_resort_context_ = nullptr;
  mutable std::mutex heaps_mutex_;
  ThreadHeap* heaps_ = nullptr;
  std::uint64_t num_heaps_ = 0;
  Counts retired_;  // of threads that ended
  struct Guarded {
    void* pages;
    std::size_t page_bytes, bytes;
  };
  mutable std::mutex guarded_mutex_;
  std::vector<std::pair<const void*, Guarded>> guarded_;
  alignas(64) std::atomic<std::int64_t> handle_live_{0};
  std::atomic<std::int64_t> raw_live_{0}, peak_{0};
};

}  // namespace bitnet::memory
