// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/analysis.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bitnet/memory/tracking/event.h"
#include "bitnet/memory/tracking/tags.h"

namespace bitnet {

Analysis::Analysis(const TrackingConfig& config)
    : config_(config), timeline_(config.max_timeline_entries, config.timeline_retention) {
  peak_.begin(aggregates_, 0);
}

void Analysis::consume(ThreadNumber thread, std::span<const TrackingEvent> events,
                       std::uint64_t now_ms) {
  seen_ += events.size();
  for (const TrackingEvent& event : events) {
    // The clock of events has 32 bits: 49 days, which a ring does not wait.
    const auto age = static_cast<std::uint32_t>(now_ms) - event.time_ms;
    const std::uint64_t time_ms = now_ms - std::min<std::uint64_t>(age, now_ms);
    switch (static_cast<EventKind>(event.kind)) {
      case EventKind::allocate:
        allocated(thread, event, time_ms);
        break;
      case EventKind::free:
        freed(thread, event, time_ms);
        break;
      case EventKind::site:
        attributed(event);
        break;
    }
  }
}

void Analysis::allocated(ThreadNumber thread, const TrackingEvent& event, std::uint64_t time_ms) {
  LiveBlock block;
  block.address = event.address;
  block.time_ms = time_ms;
  block.size = event.size;
  block.tag = static_cast<std::uint16_t>(event.tag);
  block.thread = thread;
  const LiveChange change = live_.allocate(block);
  if (change.began_first) {  // the change's block is this one; its free came first
    began(block, time_ms);
    ended(block, time_ms);
  } else {
    if (change.ended) ended(change.block, time_ms);
    if (change.began) began(block, time_ms);
  }
  if (change.freed && config_.enable_patterns) patterns_.freed(thread, change.freed_by);
}

void Analysis::freed(ThreadNumber thread, const TrackingEvent& event, std::uint64_t time_ms) {
  const LiveChange change = live_.free(event.address, time_ms, thread);
  if (change.freed && config_.enable_patterns) patterns_.freed(change.block.thread, thread);
  if (change.ended) ended(change.block, time_ms);
}

void Analysis::attributed(const TrackingEvent& event) {
  LiveBlock* block = live_.find(event.address);
  if (!block || block->site != 0) return;
  block->site = event.size;
  aggregates_.attribute(block->site, decoded_size(block->size));
}

void Analysis::began(const LiveBlock& block, std::uint64_t time_ms) {
  const std::uint64_t bytes = decoded_size(block.size);
  aggregates_.allocate(block.tag, bytes);
  peak_.rise(aggregates_, time_ms);
  profiler_.allocated(bytes, time_ms, aggregates_);
  if (config_.enable_patterns)
    patterns_.allocated(block.tag, bytes, aggregates_.tags[block.tag].live_bytes);
  if (!config_.enable_timeline) return;
  point_.series_bytes[series_.series(block.tag)] += bytes;
  point_.peak_bytes = std::max(point_.peak_bytes, aggregates_.total.live_bytes);
  point_changed_ = true;
}

void Analysis::ended(const LiveBlock& block, std::uint64_t time_ms) {
  const std::uint64_t bytes = decoded_size(block.size);
  const std::uint64_t life_ms = time_ms - std::min(block.time_ms, time_ms);
  peak_.fall(aggregates_);
  if (config_.enable_performance_metrics) {
    lifetimes_.add(block.tag, bytes, life_ms);
    profiler_.ended(block.tag, bytes, life_ms);
  }
  profiler_.ending(aggregates_);
  aggregates_.free(block.tag, block.site, bytes);
  if (config_.enable_patterns) patterns_.ended(block.tag, aggregates_.tags[block.tag].live_bytes);
  if (!config_.enable_timeline) return;
  point_.series_bytes[series_.series(block.tag)] -= bytes;
  point_changed_ = true;
}

void Analysis::end_pass(std::uint64_t now_ms) {
  live_.end_pass();
  const std::uint64_t live = aggregates_.total.live_bytes;
  if (config_.enable_patterns) patterns_.end_pass(now_ms, live);
  if (!point_changed_) return;
  point_.time_ms = now_ms;
  point_.live_bytes = live;
  timeline_.add(point_);
  point_.peak_bytes = live;
  point_changed_ = false;
}

void Analysis::sample(const MemoryMetrics& metrics, bool from_events, std::uint64_t now_ms) {
  if (!config_.enable_timeline) return;
  point_.committed_bytes = metrics.small.committed_bytes + metrics.large.committed_bytes;
  point_.time_ms = now_ms;
  if (from_events) {
    point_.live_bytes = aggregates_.total.live_bytes;
    timeline_.add(point_);
    return;
  }
  // All of it is the series of untagged memory: without events, tags are not known. The factor of
  // the sample, which does not apply to these counters, is taken out here.
  const auto sampled = [&](std::uint64_t bytes) {
    return static_cast<std::uint64_t>(
        std::llround(static_cast<double>(bytes) * config_.sampling_rate));
  };
  TimelinePoint point;
  point.time_ms = now_ms;
  point.live_bytes = point.peak_bytes = sampled(metrics.live_bytes);
  point.committed_bytes = point_.committed_bytes;
  point.series_bytes[series_.series(0)] = point.live_bytes;
  timeline_.add(point);
}

void Analysis::drop(const std::vector<LiveBlock>& dead, std::uint64_t now_ms) {
  for (const LiveBlock& block : dead) {
    live_.forget(block.address);
    ended(block, now_ms);
  }
  reconciled_ += dead.size();
}

template <class Predicate>
void Analysis::drop_if(Predicate&& is_dead, std::uint64_t now_ms) {
  std::vector<LiveBlock> dead;
  live_.for_each([&](const LiveBlock& block) {
    if (is_dead(block.address)) dead.push_back(block);
  });
  drop(dead, now_ms);
}

void Analysis::reconcile(const TrackedPool& pool, std::uint64_t now_ms) {
  drop_if([&](std::uint64_t address) { return !pool.is_live(address); }, now_ms);
}

void Analysis::forget(const LostFrees& lost, std::uint64_t now_ms) {
  drop_if([&](std::uint64_t address) { return lost.may_hold(address); }, now_ms);
}

void Analysis::forget_all(std::uint64_t now_ms) {
  drop_if([](std::uint64_t) { return true; }, now_ms);
}

LeakReport Analysis::find_leaks(std::uint64_t now_ms, std::chrono::milliseconds min_age,
                                const TrackedPool* pool) {
  std::vector<LiveBlock> dead;
  LeakReport report = bitnet::find_leaks(live_, now_ms, min_age, pool, lifetimes_, patterns_, dead);
  drop(dead, now_ms);
  return report;
}

std::uint64_t Analysis::scaled(std::uint64_t sampled) const noexcept {
  if (config_.sampling_rate == 1.0) return sampled;
  return static_cast<std::uint64_t>(
      std::llround(static_cast<double>(sampled) / config_.sampling_rate));
}

template <class Stats>
void Analysis::scale(Stats& stats) const noexcept {
  for (std::uint64_t* count : {&stats.allocations, &stats.frees, &stats.allocated_bytes,
                               &stats.live_blocks, &stats.live_bytes})
    *count = scaled(*count);
}

PeakWatch::Peak Analysis::scaled(PeakWatch::Peak peak) const {
  peak.bytes = scaled(peak.bytes);
  peak.kept_bytes = scaled(peak.kept_bytes);
  for (TagStats& tag : peak.tags) scale(tag);
  for (SiteStats& site : peak.sites) scale(site);
  return peak;
}

ProfileReport Analysis::scaled(ProfileReport report) const {
  scale(report.total);
  for (TagStats& tag : report.top_tags) scale(tag);
  for (SiteStats& site : report.top_sites) scale(site);
  for (auto& size : report.top_sizes) size.allocations = scaled(size.allocations);
  report.peak = scaled(std::move(report.peak));
  return report;
}

void Analysis::fill(DetailedMemoryMetrics& out) const {
  if (config_.enable_patterns) out.patterns = patterns_.findings();
  out.lifetimes = lifetimes_;
  out.blocks = aggregates_.total;
  out.top_tags = aggregates_.top_tags(DetailedMemoryMetrics::kTop);
  out.top_sites = aggregates_.top_sites(DetailedMemoryMetrics::kTop);
  scale(out.blocks);
  for (TagStats& tag : out.top_tags) scale(tag);
  for (SiteStats& site : out.top_sites) scale(site);
  out.events.seen = seen_;
  out.events.unmatched = live_.unmatched();
  out.events.untracked = live_.untracked();
  out.events.reconciled = reconciled_;
}

void Analysis::fill(TrackingReport& out) const {
  fill(out.detail);
  out.timeline = timeline_.points();
  for (TimelinePoint& point : out.timeline) {
    point.live_bytes = scaled(point.live_bytes);
    point.peak_bytes = scaled(point.peak_bytes);
    for (std::uint64_t& bytes : point.series_bytes) bytes = scaled(bytes);
  }
  out.timeline_resolution_ms = timeline_.resolution_ms();
  for (const std::uint16_t tag : series_.tags()) out.series.push_back(tag_name(tag));
  if (series_.shared()) out.series.push_back("other tags");
  for (std::size_t tag = 0; tag < aggregates_.tags.size(); ++tag)
    out.tag_names.push_back(tag_name(static_cast<std::uint16_t>(tag)));
  out.sites = aggregates_.top_sites(TrackingReport::kMostSites);
  for (SiteStats& site : out.sites) scale(site);
  out.peak = scaled(peak_.peak(aggregates_));
}

std::size_t Analysis::size_bytes() const noexcept {
  return live_.size_bytes() + timeline_.size_bytes() + sizeof *this +
         lifetimes_.by_tag.capacity() * sizeof(LifetimeHistogram) +
         aggregates_.tags.capacity() * sizeof(TagStats) +
         aggregates_.sites.capacity() * sizeof(SiteStats);
}

}  // namespace bitnet
