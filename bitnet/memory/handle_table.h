// SPDX-License-Identifier: MIT OR Apache-2.0
// What handles stand for: a slot for each live block, found by number, valid for one generation.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "bitnet/device/driver.h"
#include "bitnet/memory/metadata.h"
#include "bitnet/memory/storage/inactive_store.h"
#include "bitnet/memory/thread_heap.h"

namespace bitnet::memory {

/// One block. `generation` is odd while it is live; each free makes handles of before stale.
struct HandleSlot {
  static constexpr std::uint32_t kBusy = 1u << 31;    // being moved, packed or unpacked
  static constexpr std::uint32_t kParked = 1u << 30;  // its bytes are compressed elsewhere
  static constexpr std::uint32_t kPins = kParked - 1;

  // Written by the owner; read by walks over all slots, which check the generation afterwards.
  std::atomic<std::byte*> data{nullptr};
  std::atomic<std::uint64_t> bytes{0};
  Stream stream;  // device blocks: the one it was allocated on
  storage::Parked* parked = nullptr;
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::uint32_t> pins{0};  // kBusy, kParked and a count; movable blocks only
  std::atomic<std::uint32_t> last_pin_ms{0};
  std::atomic<std::uint16_t> device{0};  // number of the device's pool; 0: the host
  std::uint8_t log2_alignment = 0;
  std::atomic<bool> movable{false};
  // Packing won too little; so it stays until the bytes may have changed.
  std::atomic<bool> incompressible{false};
};

/// Thread-safe. Slots are never returned to the system.
class HandleTable {
 public:
  /// A slot for `heap`'s thread; nullopt when out of memory.
  std::optional<std::uint32_t> take(ThreadHeap& heap) noexcept;
  void give(ThreadHeap& heap, std::uint32_t index) noexcept;
  /// Gives all that the heap has at hand.
  void retire(ThreadHeap& heap) noexcept;

  /// nullptr for a number that was never given out.
  HandleSlot* find(std::uint32_t index) noexcept {
    const std::uint32_t chunk = index / kChunk;
    if (chunk >= kMaxChunks) return nullptr;
    HandleSlot* slots = chunks_[chunk].load(std::memory_order_acquire);
    return slots ? &slots[index % kChunk] : nullptr;
  }
  /// One above the highest number that was given out.
  std::uint32_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  std::uint64_t bytes() const noexcept { return std::uint64_t{size()} * sizeof(HandleSlot); }
  std::mutex& mutex() noexcept { return mutex_; }

 private:
  static constexpr std::uint32_t kChunk = 1024, kMaxChunks = 1u << 14;

  bool refill(ThreadHeap& heap) noexcept;

  std::mutex mutex_;
  Metadata metadata_;
  std::array<std::atomic<HandleSlot*>, kMaxChunks> chunks_{};
  std::atomic<std::uint32_t> size_{0};
  // A stack of numbers that grows by the chunk, so that giving back never needs memory.
  std::vector<std::uint32_t> free_;
};

}  // namespace bitnet::memory
