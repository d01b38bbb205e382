// SPDX-License-Identifier: MIT OR Apache-2.0
// A ring of events between one allocating thread and the thread that drains it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "bitnet/memory/tracking/event.h"

namespace bitnet {

/// 128 KiB. One thread pushes, one drains; a full ring drops the event and counts it.
/// Allocations leave the last quarter to frees: an allocation that is not known does no harm, a
/// free that is not known looks like a leak.
class EventRing {
 public:
  static constexpr std::uint32_t kCapacity = 8192;

  static constexpr std::uint32_t kAllocationCapacity = kCapacity / 4 * 3;

  /// False where the ring has `capacity` events or more: the event is dropped.
  bool push(const TrackingEvent& event, std::uint32_t capacity = kCapacity) noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    if (head - known_tail_ >= capacity) [[unlikely]] {
      known_tail_ = tail_.load(std::memory_order_acquire);
      if (head - known_tail_ >= capacity) {
        lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
      }
    }
    events_[head % kCapacity] = event;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  /// Calls `consume(std::span<const TrackingEvent>)` for what is there (at most two spans, in
  /// order) and gives their room back.
  template <class Consume>
  void drain(Consume&& consume) {
    const std::uint32_t head = head_.load(std::memory_order_acquire);
    std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    while (tail != head) {
      const std::uint32_t begin = tail % kCapacity;
      const std::uint32_t count = std::min(head - tail, kCapacity - begin);
      consume(std::span<const TrackingEvent>(&events_[begin], count));
      tail += count;
      tail_.store(tail, std::memory_order_release);
    }
  }

  /// Events dropped since the ring began.
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::uint32_t> head_{0};
  std::uint32_t known_tail_ = 0;  // the pushing thread's copy
  std::atomic<std::uint64_t> lost_{0};
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  alignas(64) std::array<TrackingEvent, kCapacity> events_;
};

}  // namespace bitnet
