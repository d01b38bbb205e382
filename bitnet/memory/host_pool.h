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

/// What happens besides handing out blocks; all called by allocating threads.
class HostPoolObserver {
 public:
  virtual ~HostPoolObserver() = default;
  virtual EventRing* open_ring() noexcept = 0;
  virtual void close_ring(EventRing* ring) noexcept = 0;
  /// One event for a block that was handed out or came back; `heap` has a ring.
  virtual void on_block(ThreadHeap& heap, EventKind kind, const void* block,
                        std::size_t bytes) noexcept = 0;
};

/// Thread-safe. At most kMaxHostPools exist at a time.
class HostPool {
 public:
  /// Throws Error{out_of_memory} where the system refuses address space, Error{unsupported} where
  /// there are too many pools.
  explicit HostPool(const HostPoolConfig& config);
  /// No thread may be in a call. Blocks that are live cease to exist.
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  /// A block of `bytes` (0 counts as 1) at a multiple of `alignment`, a power of two up to 2 MiB;
  /// nullptr when out of memory, at a limit, or where the alignment is none.
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    ThreadHeap* heap = thread_heaps.heaps[index_];
    // One test for what is rare: large, an alignment that spans do not have, or one that is none.
    const bool rare = heap == nullptr || bytes >= kLargeBytes || alignment - 1 >= kUnitBytes ||
                      (alignment & (alignment - 1)) != 0;
    if (rare) [[unlikely]]
      return allocate_rare(bytes, alignment);
    const std::uint32_t size_class = class_of(aligned_size(bytes + (bytes == 0), alignment));
    Magazine& magazine = heap->magazines[size_class];
    void* block;
    if (magazine.top != magazine.base) [[likely]]
      block = *--magazine.top;
    else if (block = refill(*heap, size_class); block == nullptr)
      return nullptr;
    if constexpr (kPoisoning) unpoison(block, bytes);
    if (heap->watch.load(std::memory_order_relaxed) != 0) [[unlikely]]
      return watch_allocation(*heap, block, bytes, alignment);
    return block;
  }

  /// `bytes` as they were asked for.
  FreeFault deallocate(void* block, std::size_t bytes) noexcept {
    ThreadHeap* heap = thread_heaps.heaps[index_];
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(block) - base_);
    if (heap == nullptr || offset >= space_bytes_) [[unlikely]]
      return deallocate_rare(block, bytes);
    const std::uint32_t size_class =
        kinds_[offset / kUnitBytes].load(std::memory_order_relaxed) - std::uint32_t{kFirstClass};
    if (size_class >= kNumClasses) [[unlikely]]
      return deallocate_rare(block, bytes);
    if (heap->watch.load(std::memory_order_relaxed) != 0) [[unlikely]] {
      const FreeFault fault = watch_free(*heap, block, bytes, size_class);
      if (fault != FreeFault::none) return fault;
    }
    if constexpr (kPoisoning) poison(block, kSizeClasses[size_class].block_bytes);
    Magazine& magazine = heap->magazines[size_class];
    if (magazine.top == magazine.limit) [[unlikely]]
      make_room(*heap, size_class);
    *magazine.top++ = block;
    return FreeFault::none;
  }

  /// Whether `block` lies in memory of this pool.
  bool contains(const void* block) const noexcept;
  /// Bytes of the block that begins at `block`, handed out or not; 0 where none does.
  std::size_t block_bytes(const void* block) const noexcept;

  /// Counters of what the raw front door does, from now on; and events into rings of `observer`.
  void set_watch(std::uint32_t bits, HostPoolObserver* observer) noexcept;
  std::uint32_t watch() const noexcept { return watch_.load(std::memory_order_relaxed); }

  /// Empties the calling thread's heap and what is shared, and asks the other threads to empty
  /// theirs at their next slow path.
  void flush() noexcept;

  struct Counts {
    std::uint64_t allocations = 0, frees = 0, bytes = 0, freed_bytes = 0;
    std::array<std::uint64_t, kNumClasses> class_allocations{};
  };
  Counts counts() const;
  /// Blocks in magazines of threads, by class; large units at hand of threads.
  struct AtHand {
    std::array<std::uint64_t, kNumClasses> blocks{};
    std::uint64_t large_units = 0;
  };
  AtHand at_hand() const;
  /// Live bytes of the raw front door and their peak, exact to 256 KiB a thread; from
  /// TrackingLevel::standard up.
  std::int64_t live_bytes() const noexcept;
  std::int64_t peak_bytes() const noexcept { return peak_.load(std::memory_order_relaxed); }

  SmallBlockPool& small() noexcept { return *small_; }
  const SmallBlockPool& small() const noexcept { return *small_; }
  LargeBlockPool& large() noexcept { return *large_; }
  const LargeBlockPool& large() const noexcept { return *large_; }
  Footprint& footprint() noexcept { return footprint_; }
  Metadata& metadata() noexcept { return metadata_; }
  std::uint64_t metadata_bytes() const noexcept;

  /// The calling thread's heap; nullptr when out of memory.
  ThreadHeap* heap() noexcept;
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
  void* allocate_rare(std::size_t bytes, std::size_t alignment) noexcept;
  void* allocate_large(ThreadHeap& heap, std::size_t bytes, std::size_t alignment) noexcept;
  void* allocate_guarded(std::size_t bytes, std::size_t alignment) noexcept;
  FreeFault deallocate_rare(void* block, std::size_t bytes) noexcept;
  FreeFault deallocate_mapped(ThreadHeap& heap, void* block, std::size_t bytes) noexcept;
  void* refill(ThreadHeap& heap, std::uint32_t size_class) noexcept;
  void make_room(ThreadHeap& heap, std::uint32_t size_class) noexcept;
  bool flush_big(ThreadHeap& heap) noexcept;
  bool give_large(ThreadHeap& heap, std::uint32_t keep) noexcept;
  void flush_heap(ThreadHeap& heap, std::uint32_t first_class) noexcept;
  void* watch_allocation(ThreadHeap& heap, void* block, std::size_t bytes,
                         std::size_t alignment) noexcept;
  FreeFault watch_free(ThreadHeap& heap, void* block, std::size_t bytes,
                       std::uint32_t size_class) noexcept;
  void count_allocation(ThreadHeap& heap, const void* block, std::size_t bytes,
                        std::uint32_t size_class) noexcept;
  void count_free(ThreadHeap& heap, const void* block, std::size_t bytes) noexcept;
  void settle(ThreadHeap& heap) noexcept;
  void ring_for(ThreadHeap& heap) noexcept;

  std::size_t index_ = 0;
  std::byte* base_ = nullptr;
  std::size_t space_bytes_ = 0;
  UnitKinds kinds_ = nullptr;
  HostPoolConfig config_;
  Metadata metadata_;
  Footprint footprint_;
  std::unique_ptr<SmallBlockPool> small_;
  std::unique_ptr<LargeBlockPool> large_;
  std::uint32_t small_units_ = 0;
  std::atomic<std::uint32_t> watch_{0};
  std::atomic<HostPoolObserver*> observer_{nullptr};
  std::function<void(ThreadHeap&)> retire_;
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
  alignas(64) std::atomic<std::int64_t> live_{0};
  std::atomic<std::int64_t> peak_{0};
};

}  // namespace bitnet::memory
