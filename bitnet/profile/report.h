// SPDX-License-Identifier: MIT OR Apache-2.0
// What was recorded, as a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bitnet::profile {

/// What an op does at least: bytes that it must read or write once, floating-point operations (a
/// fused multiply-add is two), 8-bit integer operations (a product and an addition are two).
struct Work {
  std::uint64_t bytes = 0;
  std::uint64_t float_ops = 0;
  std::uint64_t int8_ops = 0;

  std::uint64_t ops() const noexcept { return float_ops + int8_ops; }
  Work& operator+=(const Work& other) noexcept {
    bytes += other.bytes;
    float_ops += other.float_ops;
    int8_ops += other.int8_ops;
    return *this;
  }
  bool operator==(const Work&) const = default;
};

/// Sums over the spans of one name, or of one place in the tree.
struct Totals {
  std::uint64_t count = 0;
  double seconds = 0.0;       // a span inside one of its own name counts once
  double self_seconds = 0.0;  // without the spans inside
  Work work;                  // of its own, without the spans inside

  double mean_seconds() const noexcept;
  /// Operations a byte; 0 where no bytes are known. Rates are those of the time of its own.
  double intensity() const noexcept;
  double bytes_per_second() const noexcept;
  double ops_per_second() const noexcept;
};

struct Op {
  std::string name;
  Totals totals;
};

/// A place in the tree: these spans, inside those of `parent`.
struct Call {
  std::string name;
  int parent = -1;  // index in Report::calls, always lower than its own; -1: outermost
  Totals totals;
};

struct Event {
  int call = 0;  // index in Report::calls
  int lane = 0;  // a thread; a thread that begins after one has ended may have the same lane
  double begin_seconds = 0.0, seconds = 0.0;  // since start() or clear()
};

struct Report {
  std::vector<Op> ops;                 // most time of its own first
  std::vector<Call> calls;             // parents before children
  std::vector<Event> events;           // by lane, then by begin, outer before inner
  std::uint64_t lost_events = 0;       // had no room; the sums have them
  std::uint64_t unrecorded_spans = 0;  // are missing in the sums too (kMaxCalls, no memory)
  int lanes = 0;                       // threads that had spans
  double seconds = 0.0;                // from start() or clear() to stop() or now

  /// Of all ops.
  double self_seconds() const noexcept;
};

}  // namespace bitnet::profile
