// SPDX-License-Identifier: MIT OR Apache-2.0
// What is known from events: feeds each of the tracker's parts. Not synchronized.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/memory/tracking/config.h"
#include "bitnet/memory/tracking/detailed_metrics.h"
#include "bitnet/memory/tracking/live_table.h"
#include "bitnet/memory/tracking/lost_frees.h"
#include "bitnet/memory/tracking/profiler.h"
#include "bitnet/memory/tracking/report.h"
#include "bitnet/memory/tracking/timeline.h"

namespace bitnet {

class Analysis {
 public:
  explicit Analysis(const TrackingConfig& config);

  /// Events of one ring, in order.
  void consume(ThreadNumber thread, std::span<const TrackingEvent> events, std::uint64_t now_ms);
  /// All rings were drained.
  void end_pass(std::uint64_t now_ms);
  /// The pool's own counters: committed bytes of the timeline, and its live bytes where no events
  /// are taken (`from_events` false).
  void sample(const MemoryMetrics& metrics, bool from_events, std::uint64_t now_ms);
  /// Drops live blocks that the pool says are free.
  void reconcile(const TrackedPool& pool, std::uint64_t now_ms);
  /// Drops live blocks whose frees may have been lost.
  void forget(const LostFrees& lost, std::uint64_t now_ms);
  void forget_all(std::uint64_t now_ms);
  /// find_leaks() (leaks.h); dead entries found on the way are dropped.
  LeakReport find_leaks(std::uint64_t now_ms, std::chrono::milliseconds min_age,
                        const TrackedPool* pool);

  Profiler& profiler() noexcept { return profiler_; }
  const Aggregates& aggregates() const noexcept { return aggregates_; }
  /// Scaled up from the sample.
  ProfileReport scaled(ProfileReport report) const;
  /// What events tell of it: blocks, lifetimes, patterns, tops, counts.
  void fill(DetailedMemoryMetrics& out) const;
  void fill(TrackingReport& out) const;
  std::size_t size_bytes() const noexcept;

 private:
  void allocated(ThreadNumber thread, const TrackingEvent& event, std::uint64_t time_ms);
  void freed(ThreadNumber thread, const TrackingEvent& event, std::uint64_t time_ms);
  void attributed(const TrackingEvent& event);
  void began(const LiveBlock& block, std::uint64_t time_ms);
  void ended(const LiveBlock& block, std::uint64_t time_ms);
  template <class Predicate>
  void drop_if(Predicate&& is_dead, std::uint64_t now_ms);
  void drop(const std::vector<LiveBlock>& dead, std::uint64_t now_ms);
  template <class Stats>
  void scale(Stats& stats) const noexcept;
  std::uint64_t scaled(std::uint64_t sampled) const noexcept;
  PeakWatch::Peak scaled(PeakWatch::Peak peak) const;

  const TrackingConfig config_;
  LiveTable live_;
  Aggregates aggregates_;
  PeakWatch peak_;
  Lifetimes lifetimes_;
  PatternFinder patterns_;
  Timeline timeline_;
  SeriesOfTags series_;
  TimelinePoint point_;  // the state that the next point of the timeline will show
  bool point_changed_ = false;
  Profiler profiler_;
  std::uint64_t seen_ = 0;
  std::uint64_t reconciled_ = 0;
};

}  // namespace bitnet
