// SPDX-License-Identifier: MIT OR Apache-2.0
// A pool and a clock that tests move by hand.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "bitnet/memory/tracking/tracked_pool.h"
#include "bitnet/memory/tracking/tracker.h"

namespace bitnet::testing {

/// Blocks without memory.
class FakePool : public TrackedPool {
 public:
  MemoryMetrics metrics() const override {
    const std::lock_guard lock(mutex_);
    ++metrics_calls_;
    MemoryMetrics m = base;
    m.live_blocks = live_.size();
    for (const auto& [address, bytes] : live_) m.live_bytes += bytes;
    m.small.live_bytes = m.live_bytes;
    return m;
  }
  bool is_live(std::uint64_t address) const override {
    const std::lock_guard lock(mutex_);
    return !knows_live || live_.contains(address);
  }
  bool holds(std::uint64_t address) const {
    const std::lock_guard lock(mutex_);
    return live_.contains(address);
  }
  std::vector<FragmentationRange> fragmentation_map() const override { return map; }

  std::uint64_t allocate(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    std::uint64_t address = next_;
    if (reuses_addresses && !freed_.empty()) {
      address = freed_.back();
      freed_.pop_back();
    } else {
      next_ += (bytes + 63) / 64 * 64 + 64;
    }
    live_[address] = bytes;
    return address;
  }
  std::uint64_t free(std::uint64_t address) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t bytes = live_.at(address);
    live_.erase(address);
    freed_.push_back(address);
    return bytes;
  }
  int metrics_calls() const {
    const std::lock_guard lock(mutex_);
    return metrics_calls_;
  }

  bool knows_live = true;         // false: is_live() says true
  bool reuses_addresses = false;  // the last freed first; blocks should be of one size
  MemoryMetrics base;             // limits and committed bytes
  std::vector<FragmentationRange> map;

 private:
  mutable std::mutex mutex_;
  mutable int metrics_calls_ = 0;
  std::uint64_t next_ = 0x7f0000000040;
  std::map<std::uint64_t, std::uint64_t> live_;
  std::vector<std::uint64_t> freed_;
};

/// A tracker without its thread, on a clock that stands still, with a machine at rest.
class Bench {
 public:
  explicit Bench(const TrackingConfig& config = TrackingConfig::detailed())
      : tracker(config, &pool,
                {[this] { return now += tick_per_look; }, [this] { return machine; }}) {
    ring = tracker.open_ring();
  }

  std::uint64_t allocate(std::uint64_t bytes) { return allocate(*ring, bytes); }
  std::uint64_t allocate(EventRing& on, std::uint64_t bytes) {
    const std::uint64_t address = pool.allocate(bytes);
    tracker.record_allocation(on, address, bytes);
    return address;
  }
  void free(std::uint64_t address) { free(*ring, address); }
  void free(EventRing& on, std::uint64_t address) {
    tracker.record_free(on, address, pool.free(address));
  }
  /// Lets time pass and the tracker look.
  std::chrono::nanoseconds after(std::chrono::milliseconds time) {
    now += time;
    return tracker.poll();
  }
  void use_machine(std::uint64_t percent) {
    machine.total_bytes = 100'000;
    machine.available_bytes = 1000 * (100 - percent);
  }

  FakePool pool;
  os::MemoryPressure machine;
  std::chrono::nanoseconds now = std::chrono::hours(1);
  std::chrono::nanoseconds tick_per_look{0};
  Tracker tracker;
  EventRing* ring = nullptr;
};

}  // namespace bitnet::testing
