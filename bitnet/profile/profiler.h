// SPDX-License-Identifier: MIT OR Apache-2.0
// Where time goes, op by op: spans in the code, off until start().
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "bitnet/profile/report.h"

namespace bitnet::profile {

/// A string that lives as long as the program: anything else does not compile.
class Name {
 public:
  consteval Name(const char* text) : text_(text) {}
  const char* text() const noexcept { return text_; }

 private:
  const char* text_;
};

namespace internal {

class Lane;

/// What every span reads, in one cache line.
struct alignas(64) Shared {
  std::atomic<bool> on{false};
  std::atomic<std::uint64_t (*)()> clock{nullptr};  // null: ticks()
  /// Grows by one with start() and clear(). What was recorded in another one does not count.
  std::atomic<std::uint64_t> generation{1};
  std::atomic<std::size_t> events_per_thread{0};
  std::atomic<std::uint64_t> without_lane{0};  // spans of threads that got no lane
};
extern Shared shared;

}  // namespace internal

/// Whether spans are recorded.
inline bool is_on() noexcept { return internal::shared.on.load(std::memory_order_relaxed); }

/// Times its own life, as a part of the span around it in the same thread. Costs one relaxed load
/// and a branch while the profiler is off. Spans of a thread end in the reverse order of their
/// beginning, as automatic objects do.
class Span {
 public:
  explicit Span(Name name) noexcept {
    if (is_on()) [[unlikely]]
      begin(name, {});
  }
  Span(Name name, const Work& work) noexcept {
    if (is_on()) [[unlikely]]
      begin(name, work);
  }
  /// `count()` gives the Work and is called only while the profiler is on.
  template <class Count>
  requires std::same_as<std::invoke_result_t<const Count&>, Work> Span(Name name,
                                                                       const Count& count)
  noexcept {
    if (is_on()) [[unlikely]]
      begin(name, count());
  }
  ~Span() {
    if (lane_ != nullptr) [[unlikely]]
      end();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  friend class internal::Lane;
  void begin(Name name, const Work& work) noexcept;
  void end() noexcept;

  internal::Lane* lane_ = nullptr;  // null: not recorded, and nothing below is set
  Span* parent_;
  std::uint64_t generation_, begin_, children_;  // children_: ticks of spans directly inside
  Work work_;
  std::int16_t call_;
};

struct Options {
  /// Events kept of each thread for the timeline, 24 bytes each. What comes later is counted as
  /// lost; totals go on.
  std::size_t events_per_thread = 1 << 16;
  /// Nanoseconds, for tests; null: the CPU's counter, or steady_clock where it is not steady.
  std::uint64_t (*clock)() = nullptr;
};

/// Different places in the tree of spans that a thread can tell apart; spans at further ones are
/// counted as unrecorded.
inline constexpr int kMaxCalls = 512;

/// Forgets what was recorded and begins to record, in all threads. Memory for the events of the
/// calling thread is taken here, of another thread at its first span; it is kept for the next
/// recording.
void start(const Options& options = {});
/// Spans that are open are still recorded when they end.
void stop() noexcept;
/// Forgets what was recorded; spans that are open are not recorded. Recording goes on, if it did.
void clear();

/// What was recorded since start() or clear(), of spans that have ended. May be asked for at any
/// time; exact when no other thread is inside a span.
Report report();

}  // namespace bitnet::profile
