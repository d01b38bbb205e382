// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks of one device's memory. All records are on the host: the device's bytes are never touched.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "bitnet/device/driver.h"
#include "bitnet/memory/metrics.h"

namespace bitnet::memory {

/// Takes segments from a driver and hands out parts of them: best fit, split, coalesced when free.
/// A block freed on a stream serves that stream again at once, since its work is ordered; another
/// stream when an event behind the free has passed. Thread-safe.
class DevicePool {
 public:
  /// `max_bytes` is a hard limit of what is taken from the driver; 0: none.
  DevicePool(std::unique_ptr<Driver> driver, std::uint64_t max_bytes);
  /// No stream may use a block any more.
  ~DevicePool();
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;

  Device device() const noexcept { return driver_->device(); }

  /// `bytes` > 0 for work of `stream`, aligned to `alignment` (a power of two up to 2 MiB); nullptr
  /// when out of memory: after all frees that can pass have passed and empty segments went back.
  /// Throws Error{device_lost}, from then on always.
  void* allocate(std::size_t bytes, std::size_t alignment, Stream stream);
  /// Work given to `stream` so far may still use the block. False for an address that is no live
  /// block.
  bool free(void* block, Stream stream) noexcept;
  /// Work of `stream` uses the block too: it serves nobody before that work is done.
  void use_on(void* block, Stream stream);
  /// Between this device and the host, behind the stream's work; done on return. Throws
  /// Error{device_lost}.
  void copy(void* to, const void* from, std::size_t bytes, Stream stream);

  /// Returns empty segments of at least `min_bytes`, freed `min_age_ms` ago or longer, to the
  /// driver, up to `max_bytes`; the bytes returned. A lost device returns nothing.
  std::uint64_t trim(std::uint64_t max_bytes, std::uint64_t min_age_ms = 0,
                     std::uint64_t min_bytes = 0);
  bool owns(const void* block) const noexcept;
  bool lost() const noexcept;
  PartMetrics metrics() const;
  /// Throws Error{internal} where records contradict each other.
  void validate() const;

 private:
  struct Segment {
    std::byte* memory;
    std::size_t bytes, alignment;
    std::uint64_t freed_ms = 0;
  };
  enum class BlockState : std::uint8_t { live, free, recent, waiting };
  struct Block {
    std::byte* address;
    std::size_t bytes;
    std::list<Segment>::iterator segment;
    Block* before = nullptr;  // neighbours in the segment
    Block* after = nullptr;
    Stream stream;            // live: allocated on; free: serves this stream alone,
    bool any_stream = false;  // unless it serves all
    BlockState state = BlockState::live;
    std::uint64_t freed_at = 0;     // number of the free
    std::vector<Stream> also_used;  // by use_on()
    std::vector<Event> waits_for;
  };
  struct SmallerFirst {
    bool operator()(const Block* a, const Block* b) const noexcept {
      return a->bytes != b->bytes ? a->bytes < b->bytes : a->address < b->address;
    }
  };
  using FreeBlocks = std::set<Block*, SmallerFirst>;
  /// Everything freed on a stream up to free number `free` is unused once `event` has passed.
  struct Mark {
    Event event;
    std::uint64_t free;
  };
  struct StreamBlocks {
    FreeBlocks free;
    std::array<Block*, 8> recent{};  // freed last, not yet joined with their neighbours
    std::uint32_t num_recent = 0;
    std::uint64_t last_free = 0;
    std::vector<Mark> marks;
  };

  Block* find(FreeBlocks& blocks, std::size_t bytes, std::size_t alignment);
  Block* take(std::size_t bytes, std::size_t alignment, Stream stream);
  Block* cut(Block* block, std::size_t bytes, std::size_t alignment);
  void add_free(Block* block);
  Block* join(Block* left, Block* right);
  FreeBlocks& set_of(const Block* block);
  bool same_use(const Block* a, const Block* b) const noexcept;
  void settle_recent(StreamBlocks& stream);
  /// Moves what other streams no longer use to where all may take it; `wait`: after waiting.
  bool collect(bool wait);
  bool passed(Block& block, bool wait);
  Block* grow(std::size_t bytes, std::size_t alignment);
  std::uint64_t trim_locked(std::uint64_t max_bytes, std::uint64_t min_age_ms,
                            std::uint64_t min_bytes);
  [[noreturn]] void fail_lost() const;
  template <class Action>
  auto guarded(Action&& action);

  mutable std::mutex mutex_;
  std::unique_ptr<Driver> driver_;
  const std::uint64_t max_bytes_;
  bool lost_ = false;
  std::list<Segment> segments_;
  std::unordered_map<const std::byte*, std::unique_ptr<Block>> blocks_;  // all, by address
  FreeBlocks common_;                                                    // serve every stream
  std::map<std::uint64_t, StreamBlocks> streams_;
  std::vector<Block*> waiting_;
  std::uint64_t frees_ = 0;
  std::uint64_t live_bytes_ = 0, committed_bytes_ = 0, peak_committed_bytes_ = 0;
};

}  // namespace bitnet::memory
