// SPDX-License-Identifier: MIT OR Apache-2.0
// What one thread records. One thread writes, any may read: sums are relaxed atomics with one
// writer, lists only grow behind a published length, and the mutex keeps a reader from a reset.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "bitnet/base/tick_clock.h"
#include "bitnet/profile/profiler.h"

namespace bitnet::profile::internal {

/// Ticks of the clock that start() chose.
inline std::uint64_t now() noexcept {
  const auto clock = shared.clock.load(std::memory_order_relaxed);
  return clock == nullptr ? ticks() : clock();
}

inline std::uint64_t generation() noexcept {
  return shared.generation.load(std::memory_order_acquire);
}

struct RawEvent {
  std::uint64_t begin, ticks;
  std::int32_t call;
};

/// A place in the tree of this thread's spans; number 0 is around the outermost ones. One cache
/// line: between two spans, ops have read megabytes.
struct alignas(64) RawCall {
  const char* name = nullptr;
  std::int16_t parent = -1;
  // Only the writer's: the children are a ring, entered at the one that was asked for last, because
  // ops come in the same order in every layer.
  std::int16_t last_child = -1, next_sibling = -1;
  std::atomic<std::uint64_t> count{0}, ticks{0}, self_ticks{0};
  std::atomic<std::uint64_t> bytes{0}, float_ops{0}, int8_ops{0};

  void restart(const char* new_name, std::int16_t new_parent) noexcept;
};
static_assert(sizeof(RawCall) == 64);

class Lane {
 public:
  /// What begin() does at the first span of a generation.
  void prepare() noexcept { restart(generation()); }
  void begin(Span& span, Name name, const Work& work) noexcept;
  void end(Span& span) noexcept;

  /// Calls read(calls, events, lost, unrecorded) if anything was recorded in `generation`.
  template <class Read>
  void read(std::uint64_t generation, const Read& read) {
    const std::lock_guard lock(mutex_);
    if (generation_ != generation) return;
    const auto num_calls = static_cast<std::size_t>(num_calls_.load(std::memory_order_acquire));
    const std::size_t num_events = num_events_.load(std::memory_order_acquire);
    read(std::span<const RawCall>(calls_.data(), num_calls),
         std::span<const RawEvent>(events_.get(), num_events),
         lost_.load(std::memory_order_relaxed), unrecorded_.load(std::memory_order_relaxed));
  }

 private:
  void restart(std::uint64_t generation) noexcept;
  std::int16_t call_of(std::int16_t parent, const char* name) noexcept;

  // First what every span needs.
  alignas(64) std::uint64_t generation_ = 0;
  Span* open_ = nullptr;
  std::unique_ptr<RawEvent[]> events_;
  std::size_t capacity_ = 0;
  std::atomic<std::size_t> num_events_{0};
  std::atomic<std::uint64_t> lost_{0}, unrecorded_{0};
  std::atomic<std::int16_t> num_calls_{0};
  std::array<RawCall, kMaxCalls> calls_;
  std::mutex mutex_;
};

}  // namespace bitnet::profile::internal
