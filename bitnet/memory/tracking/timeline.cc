// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/timeline.h"

#include <algorithm>

#include "bitnet/memory/tracking/tags.h"

namespace bitnet {
namespace {

void merge_into(TimelinePoint& earlier, const TimelinePoint& later) {
  const std::uint64_t peak = std::max(earlier.peak_bytes, later.peak_bytes);
  earlier = later;
  earlier.peak_bytes = peak;
}

}  // namespace

Timeline::Timeline(std::size_t max_points, std::chrono::milliseconds retention)
    : max_points_(max_points), retention_ms_(static_cast<std::uint64_t>(retention.count())) {}

void Timeline::add(const TimelinePoint& point) {
  const auto bucket = [&](const TimelinePoint& p) { return p.time_ms / resolution_ms_; };
  if (!points_.empty() && bucket(points_.back()) == bucket(point)) {
    merge_into(points_.back(), point);
    return;
  }
  // Old points go in batches, so that a point costs constant time.
  const std::size_t old = first_kept(point.time_ms);
  if (old > points_.size() / 8 || (old > 0 && points_.size() == max_points_))
    points_.erase(points_.begin(), points_.begin() + static_cast<std::ptrdiff_t>(old));
  while (points_.size() == max_points_) merge_neighbours();
  if (!points_.empty() && bucket(points_.back()) == bucket(point)) {
    merge_into(points_.back(), point);
    return;
  }
  points_.push_back(point);
}

std::size_t Timeline::first_kept(std::uint64_t now_ms) const noexcept {
  const std::uint64_t oldest = now_ms - std::min(now_ms, retention_ms_);
  const auto kept = std::lower_bound(
      points_.begin(), points_.end(), oldest,
      [](const TimelinePoint& p, std::uint64_t time_ms) { return p.time_ms < time_ms; });
  return static_cast<std::size_t>(kept - points_.begin());
}

std::vector<TimelinePoint> Timeline::points() const {
  if (points_.empty()) return {};
  const std::size_t first = first_kept(points_.back().time_ms);
  return {points_.begin() + static_cast<std::ptrdiff_t>(first), points_.end()};
}

void Timeline::merge_neighbours() {
  resolution_ms_ *= 2;
  std::size_t kept = 0;
  for (std::size_t i = 1; i < points_.size(); ++i) {
    if (points_[i].time_ms / resolution_ms_ == points_[kept].time_ms / resolution_ms_)
      merge_into(points_[kept], points_[i]);
    else
      points_[++kept] = points_[i];
  }
  points_.resize(kept + 1);
}

std::size_t SeriesOfTags::series(std::uint16_t tag) {
  constexpr std::uint8_t kNone = 0xff;
  if (series_.size() <= tag) series_.resize(std::size_t{tag} + 1, kNone);
  if (series_[tag] == kNone) {
    if (tags_.size() < kShared) {
      series_[tag] = static_cast<std::uint8_t>(tags_.size());
      tags_.push_back(tag);
    } else {
      series_[tag] = kShared;
      shared_ = true;
    }
  }
  return series_[tag];
}

}  // namespace bitnet
