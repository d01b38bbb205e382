// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows the blocks of one pool: allocating threads write events, one thread draws conclusions.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bitnet/memory/tracking/config.h"
#include "bitnet/memory/tracking/event_ring.h"
#include "bitnet/memory/tracking/pressure.h"
#include "bitnet/memory/tracking/tags.h"

namespace bitnet {

class TrackedPool;
struct DetailedMemoryMetrics;
struct LeakReport;
struct ProfileReport;
struct TrackingReport;

/// What tests replace. Called from any thread that asks the tracker something.
struct TrackerSources {
  std::function<std::chrono::nanoseconds()> clock;  // steady; default: steady_clock
  std::function<os::MemoryPressure()> pressure;     // default: read_memory_pressure()
};

/// Thread-safe. Order of locks: reporting calls hold the tracker's lock and call the pool;
/// open_ring(), close_ring() and what begins with record_ do not take it, so a pool may call them
/// under its own locks, and calls nothing else of the tracker there.
class Tracker {
 public:
  /// `pool` may be null (no verification, no counters) and must outlive the tracker. Throws
  /// Error{invalid_argument} for a bad config.
  explicit Tracker(const TrackingConfig& config, const TrackedPool* pool = nullptr,
                   TrackerSources sources = {});
  /// stop(), and forgets what is still in the rings.
  ~Tracker();
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

  /// Starts the thread, once the pool is whole; nothing where it runs.
  void start();
  /// Joins the thread; nothing where none runs.
  void stop() noexcept;
  /// One round of the thread's work: ticks the clock, drains the rings, then what is due. Returns
  /// how long the thread would sleep now. Callbacks of pressure run in here.
  std::chrono::nanoseconds poll();

  // The allocating thread's side: none of it takes a lock, except opening and closing.

  /// A ring of the calling thread's own. nullptr where memory is short.
  EventRing* open_ring() noexcept;
  /// The thread ends or takes another pool: the ring is drained to its end before it is used again.
  void close_ring(EventRing* ring) noexcept;

  /// A block was got. Call before its address is known to another thread.
  void record_allocation(EventRing& ring, std::uint64_t address, std::uint64_t bytes) noexcept {
    if (!samples(address)) return;
    const std::uint16_t tag = current_tag();
    if (!ring.push(event(EventKind::allocate, address, tag, encoded_size(bytes)),
                   EventRing::kAllocationCapacity)) [[unlikely]]
      return;
    if (const std::uint32_t site = try_capture_site(); site != 0) [[unlikely]]
      ring.push(event(EventKind::site, address, tag, site));
  }
  /// A block is given back. Call before another thread can get it.
  void record_free(EventRing& ring, std::uint64_t address, std::uint64_t bytes) noexcept {
    if (samples(address) && !ring.push(event(EventKind::free, address, current_tag(),
                                             encoded_size(bytes)))) [[unlikely]]
      note_lost_free(address);
  }

  /// Whether events of the address are taken: the same answer for its allocation and its free.
  bool samples(std::uint64_t address) const noexcept {
    return sample_threshold_ == UINT32_MAX ||
           static_cast<std::uint32_t>((address * 0x9E3779B97F4A7C15u) >> 32) < sample_threshold_;
  }
  /// Milliseconds since the tracker began, as of the last tick.
  std::uint32_t time_ms() const noexcept { return time_ms_.load(std::memory_order_relaxed); }
  /// A site's id, or 0: the second's stacks are used up, stacks are off, or the table is full.
  std::uint32_t try_capture_site() noexcept {
    return site_tokens_.load(std::memory_order_relaxed) > 0 ? capture_site() : 0;
  }

  // The other side.

  const TrackingConfig& config() const noexcept { return config_; }
  /// The pool's level now. Below detailed there are no events and the thread wakes rarely; as frees
  /// are not seen there, a change from or to detailed forgets all live blocks.
  TrackingLevel level() const noexcept { return level_.load(std::memory_order_relaxed); }
  void set_level(TrackingLevel level) noexcept;

  PressureLevel pressure_level() const noexcept {
    return pressure_level_.load(std::memory_order_relaxed);
  }
  /// Called from the tracker's thread (or poll()), with no lock held.
  PressureRegistration register_pressure_callback(PressureCallback callback);

  DetailedMemoryMetrics detailed_metrics();
  /// Every tracked block older than `min_age` that the pool says is live. 0 at shutdown: all.
  LeakReport find_leaks(std::chrono::milliseconds min_age);

  /// Begins a profile. Throws Error{invalid_argument} where one runs.
  void start_profile(std::string name);
  /// The running profile so far. Throws Error{invalid_argument} where none runs.
  ProfileReport profile();
  /// Ends it. Throws Error{invalid_argument} where none runs.
  ProfileReport stop_profile();

  /// Everything that is known, for the exports (export/*.h).
  TrackingReport report();

 private:
  struct State;

  TrackingEvent event(EventKind kind, std::uint64_t address, std::uint16_t tag,
                      std::uint32_t size) const noexcept {
    TrackingEvent e{};
    e.address = address & 0xFFFF'FFFF'FFFF;
    e.tag = tag & 0xFFF;
    e.kind = static_cast<std::uint64_t>(kind) & 0xF;
    e.size = size;
    e.time_ms = time_ms();
    return e;
  }
  std::uint32_t capture_site() noexcept;
  void note_lost_free(std::uint64_t address) noexcept;
  void tick(std::chrono::nanoseconds now);
  void update_stats(std::uint64_t now_ms);
  void check_pressure();
  void fill(DetailedMemoryMetrics& out) const;

  const TrackingConfig config_;
  const std::uint32_t sample_threshold_;  // UINT32_MAX: every address
  std::atomic<TrackingLevel> level_;
  std::atomic<PressureLevel> pressure_level_{PressureLevel::none};
  alignas(64) std::atomic<std::uint32_t> time_ms_{0};  // written by the tick alone
  std::atomic<std::int32_t> site_tokens_{0};
  alignas(64) std::unique_ptr<State> state_;
};

}  // namespace bitnet
