// SPDX-License-Identifier: MIT OR Apache-2.0
// Live bytes over time, in bounded memory.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitnet {

struct TimelinePoint {
  static constexpr std::size_t kSeries = 16;
  std::uint64_t time_ms = 0;  // of its last change
  std::uint64_t live_bytes = 0;
  std::uint64_t peak_bytes = 0;  // since the point before
  std::uint64_t committed_bytes = 0;
  std::array<std::uint64_t, kSeries> series_bytes{};  // live bytes; which tag, series_tags() says
};

/// Points closer than the resolution are one. Where there are too many, the resolution is halved:
/// neighbours are merged (the later's bytes, the greater's peak); points older than the retention
/// go. Times must not fall.
class Timeline {
 public:
  Timeline(std::size_t max_points, std::chrono::milliseconds retention);

  void add(const TimelinePoint& point);
  std::vector<TimelinePoint> points() const;
  std::size_t size_bytes() const noexcept { return points_.capacity() * sizeof(TimelinePoint); }
  std::uint64_t resolution_ms() const noexcept { return resolution_ms_; }

 private:
  /// Of the first point within the retention before `now_ms`.
  std::size_t first_kept(std::uint64_t now_ms) const noexcept;
  void merge_neighbours();

  std::size_t max_points_;
  std::uint64_t retention_ms_;
  std::uint64_t resolution_ms_ = 1;
  std::vector<TimelinePoint> points_;
};

/// The first 15 tags seen have a series each, the others share the last.
class SeriesOfTags {
 public:
  static constexpr std::size_t kShared = TimelinePoint::kSeries - 1;
  std::size_t series(std::uint16_t tag);
  /// The tags of series 0 .. size - 1.
  const std::vector<std::uint16_t>& tags() const noexcept { return tags_; }
  bool shared() const noexcept { return shared_; }  // whether the last series is in use

 private:
  std::vector<std::uint16_t> tags_;
  std::vector<std::uint8_t> series_;  // by tag
  bool shared_ = false;
};

}  // namespace bitnet
