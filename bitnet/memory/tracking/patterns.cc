// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/patterns.h"

#include <algorithm>
#include <cmath>

#include "bitnet/memory/tracking/tags.h"

namespace bitnet {
namespace {

/// Counts are halved after so many events, so that a habit given up fades.
constexpr std::uint64_t kMemory = std::uint64_t{1} << 20;

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

double number(std::uint64_t value) { return static_cast<double>(value); }

}  // namespace

std::string_view to_string(PatternKind kind) noexcept {
  switch (kind) {
    case PatternKind::repeated_size:
      return "repeated_size";
    case PatternKind::sawtooth:
      return "sawtooth";
    case PatternKind::growth:
      return "growth";
    case PatternKind::ping_pong:
      return "ping_pong";
  }
  return "unknown";
}

void PatternFinder::allocated(std::uint16_t tag, std::uint64_t bytes,
                              std::uint64_t tag_live_bytes) {
  sizes_.add(bytes);
  if (sizes_.total() == kMemory) sizes_.fade();
  if (growth_.size() <= tag) growth_.resize(std::size_t{tag} + 1);
  growth_[tag].live = tag_live_bytes;
}

void PatternFinder::ended(std::uint16_t tag, std::uint64_t tag_live_bytes) {
  growth_[tag].live = tag_live_bytes;
  growth_[tag].least = std::min(growth_[tag].least, tag_live_bytes);
}

void PatternFinder::freed(ThreadNumber allocated_by, ThreadNumber freed_by) {
  if (++frees_ == kMemory) {
    frees_ /= 2;
    pairs_.fade();
  }
  if (allocated_by != freed_by) pairs_.add(std::uint64_t{allocated_by} << 16 | freed_by);
}

void PatternFinder::end_pass(std::uint64_t now_ms, std::uint64_t live_bytes) {
  follow_saw(now_ms, live_bytes);
  if (window_end_ms_ == 0) window_end_ms_ = now_ms + limits_.window_ms;
  if (now_ms < window_end_ms_) return;
  window_end_ms_ = now_ms + limits_.window_ms;
  end_window();
}

/// A peak is one once live bytes fell far enough from it, a trough once they rose from it again.
void PatternFinder::follow_saw(std::uint64_t now_ms, std::uint64_t live_bytes) {
  const auto part_of = [&](std::uint64_t bytes) {
    return static_cast<std::uint64_t>(limits_.saw_depth * static_cast<double>(bytes));
  };
  if (rising_) {
    if (live_bytes > tooth_.peak) {
      tooth_.peak = live_bytes;
      tooth_.time_ms = now_ms;
    } else if (tooth_.peak >= limits_.least_bytes &&
               live_bytes < tooth_.peak - part_of(tooth_.peak)) {
      rising_ = false;
      tooth_.trough = live_bytes;
    }
  } else if (live_bytes < tooth_.trough) {
    tooth_.trough = live_bytes;
  } else if (live_bytes > tooth_.trough + std::max(limits_.least_bytes, part_of(tooth_.trough))) {
    teeth_[num_teeth_++ % teeth_.size()] = tooth_;
    rising_ = true;
    tooth_ = {now_ms, live_bytes, 0};
  }
}

void PatternFinder::end_window() {
  for (Growth& g : growth_) {
    if (g.least < g.last || g.run == 0) {
      g.run = 1;
      g.rises = 0;
      g.first = g.least;
    } else {
      ++g.run;
      g.rises += g.least > g.last;
    }
    g.last = g.least;
    g.least = g.live;
  }
}

bool PatternFinder::is_growth(const Growth& g) const noexcept {
  return g.run > limits_.growth_windows && g.rises * 2 >= g.run &&
         g.last - g.first >= limits_.least_bytes &&
         ratio(g.last - g.first, g.last) >= limits_.growth_share;
}

bool PatternFinder::grows(std::uint16_t tag) const noexcept {
  return tag < growth_.size() && is_growth(growth_[tag]);
}

void PatternFinder::find_sizes(std::vector<PatternFinding>& out) const {
  for (const auto& [bytes, count] : sizes_.top(5)) {
    const double share = ratio(count, sizes_.total());
    if (count < limits_.least_events || share < limits_.size_share) continue;
    out.push_back({PatternKind::repeated_size,
                   std::to_string(bytes) + " bytes",
                   {{"size_bytes", number(bytes)},
                    {"allocations", number(count)},
                    {"share_of_allocations", share}}});
  }
}

void PatternFinder::find_saw(std::vector<PatternFinding>& out) const {
  const std::size_t count = std::min(num_teeth_, teeth_.size());
  if (count < limits_.saw_teeth || count < 2) return;
  double peaks = 0, squares = 0, troughs = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double peak = number(teeth_[i].peak);
    peaks += peak;
    squares += peak * peak;
    troughs += number(teeth_[i].trough);
  }
  const auto n = static_cast<double>(count);
  const double mean = peaks / n;
  const double variation = std::sqrt(std::max(0.0, squares / n - mean * mean)) / mean;
  if (variation > limits_.saw_variation) return;
  const std::uint64_t first = teeth_[(num_teeth_ - count) % teeth_.size()].time_ms;
  const std::uint64_t last = teeth_[(num_teeth_ - 1) % teeth_.size()].time_ms;
  out.push_back({PatternKind::sawtooth,
                 "live bytes",
                 {{"teeth", number(num_teeth_)},
                  {"mean_peak_bytes", mean},
                  {"mean_trough_bytes", troughs / n},
                  {"peak_variation", variation},
                  {"period_ms", number(last - first) / (n - 1)}}});
}

void PatternFinder::find_growth(std::vector<PatternFinding>& out) const {
  for (std::size_t tag = 0; tag < growth_.size(); ++tag) {
    const Growth& g = growth_[tag];
    if (!is_growth(g)) continue;
    const double seconds = number((g.run - 1) * limits_.window_ms) / 1000;
    out.push_back({PatternKind::growth,
                   "tag " + tag_name(static_cast<std::uint16_t>(tag)),
                   {{"seconds", seconds},
                    {"first_bytes", number(g.first)},
                    {"last_bytes", number(g.last)},
                    {"bytes_per_second", number(g.last - g.first) / seconds}}});
  }
}

void PatternFinder::find_ping_pong(std::vector<PatternFinding>& out) const {
  for (const auto& [pair, count] : pairs_.top(5)) {
    const double share = ratio(count, frees_);
    if (count < limits_.least_events || share < limits_.ping_pong_share) continue;
    out.push_back({PatternKind::ping_pong,
                   "threads " + std::to_string(pair >> 16) + " -> " + std::to_string(pair & 0xffff),
                   {{"frees", number(count)},
                    {"share_of_frees", share},
                    {"share_of_all_pairs", ratio(pairs_.total(), frees_)}}});
  }
}

std::vector<PatternFinding> PatternFinder::findings() const {
  std::vector<PatternFinding> out;
  find_growth(out);
  find_saw(out);
  find_sizes(out);
  find_ping_pong(out);
  return out;
}

}  // namespace bitnet
