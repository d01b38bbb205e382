// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/stream_fetch.h"

#include <algorithm>

namespace bitnet::cpu {

int FetchTrial::way() const noexcept {
  const int found = found_.load(std::memory_order_relaxed);
  return found >= 0 ? found : readings_.load(std::memory_order_relaxed) % kWays;
}

void FetchTrial::took(StreamFetch with, std::size_t bytes, double seconds) noexcept {
  if (found() || bytes < kLargeBytes || !(seconds > 0)) return;
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < kWays; ++i)
    if (kWay[i].bytes == with.bytes && kWay[i].second_cache == with.second_cache)
      fastest_[i] = std::max(fastest_[i], static_cast<double>(bytes) / seconds);
  if (++readings_ < kWays * kTurns) return;
  found_.store(static_cast<int>(std::max_element(fastest_, fastest_ + kWays) - fastest_),
               std::memory_order_relaxed);
}

FetchTrial& fetch_trial() noexcept {
  static FetchTrial trial;
  return trial;
}

}  // namespace bitnet::cpu
