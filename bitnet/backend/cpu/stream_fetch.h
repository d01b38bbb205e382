// SPDX-License-Identifier: MIT OR Apache-2.0
// How weights that are read once are fetched on this machine, found while they are read.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// The first large readings take turns between two ways; from then on the one that was faster is
/// taken. With one thread and 215 MB a Zen 4 server core read 19 GB/s past the second cache and 31
/// into it (plain reading: 31): lines on their way into the first cache fill its few buffers. On a
/// Zen 5 server past the caches was 4 to 7 % faster than into all of them. Thread-safe.
class FetchTrial {
 public:
  /// Readings of fewer bytes tell little: they may come from a cache.
  static constexpr std::size_t kLargeBytes = std::size_t{48} << 20;
  static constexpr int kWays = 2, kTurns = 4;  // of each way
  static constexpr StreamFetch kWay[kWays] = {{16384, true}, {6144, false}};

  /// What to use now: the way whose turn it is, or the one that was found.
  StreamFetch next() const noexcept { return kWay[way()]; }
  /// Tells how long a large reading with what next() gave took. Ignored once the way is found.
  void took(StreamFetch with, std::size_t bytes, double seconds) noexcept;
  bool found() const noexcept { return found_.load(std::memory_order_relaxed) >= 0; }

 private:
  // Without a lock: every ternary product asks, for as long as no large sketch is read.
  int way() const noexcept;
  std::atomic<int> found_{-1};
  std::atomic<int> readings_{0};
  std::mutex mutex_;
  double fastest_[kWays] = {};  // bytes a second, guarded by mutex_
};

/// That of this process.
FetchTrial& fetch_trial() noexcept;

}  // namespace bitnet::cpu
