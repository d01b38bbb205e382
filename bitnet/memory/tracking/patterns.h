// SPDX-License-Identifier: MIT OR Apache-2.0
// Habits of a program that cost memory or time, each with the numbers that show it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/memory/tracking/live_table.h"
#include "bitnet/memory/tracking/vote_table.h"

namespace bitnet {

enum class PatternKind : std::uint8_t {
  repeated_size,  // many blocks of one size: worth a buffer that is kept
  sawtooth,       // live bytes rise and fall between the same levels: worth a scratch arena
  growth,         // live bytes that do not fall
  ping_pong,      // blocks freed by another thread than allocated them
};
std::string_view to_string(PatternKind kind) noexcept;

struct Evidence {
  std::string name;  // with its unit
  double value = 0;
};

struct PatternFinding {
  PatternKind kind = PatternKind::repeated_size;
  std::string subject;  // "4096 bytes", "tag kv_cache", "threads 1 -> 2"
  std::vector<Evidence> evidence;
};

/// When a habit is one.
struct PatternLimits {
  std::uint64_t least_events = 100;
  double size_share = 0.1;                // of all allocations
  double ping_pong_share = 0.05;          // of all frees
  std::uint64_t least_bytes = 64 * 1024;  // of a rise
  double saw_depth = 0.5;                 // fall from a peak, rise from a trough, as a share of it
  std::size_t saw_teeth = 4;
  double saw_variation = 0.25;  // standard deviation / mean of the peaks
  std::uint64_t window_ms = 1000;
  std::size_t growth_windows = 10;
  double growth_share = 0.1;  // rise over those windows
};

/// Constant time and memory for an event, whatever came before.
class PatternFinder {
 public:
  explicit PatternFinder(const PatternLimits& limits = {}) : limits_(limits) {}

  void allocated(std::uint16_t tag, std::uint64_t bytes, std::uint64_t tag_live_bytes);
  void ended(std::uint16_t tag, std::uint64_t tag_live_bytes);
  void freed(ThreadNumber allocated_by, ThreadNumber freed_by);
  /// After a pass over the rings.
  void end_pass(std::uint64_t now_ms, std::uint64_t live_bytes);

  std::vector<PatternFinding> findings() const;
  /// Whether the tag's live bytes grew without a fall for `growth_windows` windows.
  bool grows(std::uint16_t tag) const noexcept;

 private:
  struct Tooth {
    std::uint64_t time_ms = 0, peak = 0, trough = 0;
  };
  struct Growth {                       // of one tag; minima of live bytes over windows
    std::uint64_t live = 0, least = 0;  // in this window
    std::uint64_t last = 0, first = 0;  // minima of the last window, of the run's first
    std::uint32_t run = 0, rises = 0;   // windows without a fall, those with a rise
  };
  void follow_saw(std::uint64_t now_ms, std::uint64_t live_bytes);
  void end_window();
  bool is_growth(const Growth& g) const noexcept;
  void find_sizes(std::vector<PatternFinding>& out) const;
  void find_saw(std::vector<PatternFinding>& out) const;
  void find_growth(std::vector<PatternFinding>& out) const;
  void find_ping_pong(std::vector<PatternFinding>& out) const;

  PatternLimits limits_;
  VoteTable<256> sizes_;
  VoteTable<64> pairs_;  // allocating thread << 16 | freeing thread, where they differ
  std::uint64_t frees_ = 0;
  std::vector<Growth> growth_;  // by tag
  std::uint64_t window_end_ms_ = 0;
  bool rising_ = true;
  Tooth tooth_;  // being followed
  std::array<Tooth, 16> teeth_{};
  std::size_t num_teeth_ = 0;  // ever
};

}  // namespace bitnet
