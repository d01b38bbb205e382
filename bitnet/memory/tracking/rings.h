// SPDX-License-Identifier: MIT OR Apache-2.0
// The event rings of all threads: opened, drained, closed, used again.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "bitnet/memory/tracking/event_ring.h"
#include "bitnet/memory/tracking/live_table.h"

namespace bitnet {

/// open() and close() from any thread, drain() from one at a time.
class Rings {
 public:
  /// A ring that nobody else writes; nullptr where memory is short.
  EventRing* open() noexcept;
  void close(EventRing* ring) noexcept;

  /// Calls `consume(ThreadNumber, std::span<const TrackingEvent>)` for all that is in the rings.
  /// Returns the most events that one ring held.
  template <class Consume>
  std::uint32_t drain(Consume&& consume) {
    std::uint32_t fullest = 0;
    for (const Draining& item : begin_drain()) {
      std::uint32_t count = 0;
      item.ring->drain([&](std::span<const TrackingEvent> events) {
        count += static_cast<std::uint32_t>(events.size());
        consume(item.thread, events);
      });
      fullest = std::max(fullest, count);
      if (item.closed) recycle(item.ring);
    }
    return fullest;
  }
  std::uint64_t lost() const;
  std::size_t size_bytes() const;

 private:
  enum class Use : std::uint8_t { open, closed, idle };
  struct Slot {
    std::unique_ptr<EventRing> ring;
    ThreadNumber thread = 0;
    Use use = Use::open;
  };
  struct Draining {
    EventRing* ring;
    ThreadNumber thread;
    bool closed;  // its last event was written before
  };
  const std::vector<Draining>& begin_drain();
  void recycle(EventRing* ring);
  Slot* find(const EventRing* ring) noexcept;

  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
  ThreadNumber next_thread_ = 1;
  std::vector<Draining> draining_;  // of the one that drains
};

}  // namespace bitnet
