// SPDX-License-Identifier: MIT OR Apache-2.0
// A report of a program that loads a model and answers requests, with names that test escaping.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitnet/memory/tracking/fake_pool.h"
#include "bitnet/memory/tracking/report.h"

namespace bitnet::testing {

inline const std::string kHostileName = "</script><b>\"a\\b\"\n\x01,'\xff";

class SampleProgram {
 public:
  SampleProgram() : b_(config()) {}

  TrackingReport run() {
    fill_counters();
    b_.after(std::chrono::milliseconds(20));
    b_.tracker.start_profile("serve " + kHostileName);
    load();
    EventRing* other = b_.tracker.open_ring();
    for (int request = 0; request < 30; ++request) answer(*other, request);
    b_.use_machine(85);
    b_.after(std::chrono::seconds(4));
    return b_.tracker.report();
  }

 private:
  static TrackingConfig config() {
    TrackingConfig config = TrackingConfig::debug();
    config.stats_update_interval = std::chrono::seconds(1);
    config.leak_min_age = std::chrono::seconds(3);
    return config;
  }
  [[gnu::noinline]] void load() {
    const TagScope tag("weights");
    for (int layer = 0; layer < 24; ++layer) {
      b_.allocate((std::uint64_t{8} << 20) + static_cast<std::uint64_t>(layer) * 4096);
      b_.after(std::chrono::milliseconds(40));
    }
  }
  [[gnu::noinline]] std::uint64_t new_cache_page() {
    const TagScope tag("kv_cache");
    return b_.allocate(1 << 20);
  }
  [[gnu::noinline]] void answer(EventRing& other, int request) {
    std::vector<std::uint64_t> pages;
    for (int token = 0; token < 40; ++token) {
      pages.push_back(new_cache_page());
      const TagScope tag("activations");
      const std::uint64_t scratch = b_.allocate(std::uint64_t{3} << 20);
      b_.after(std::chrono::milliseconds(20));
      b_.free(other, scratch);
    }
    {
      const TagScope tag(kHostileName);
      b_.allocate(200'000 + static_cast<std::uint64_t>(request) * 1000);  // never freed
    }
    for (const std::uint64_t page : pages) b_.free(page);
    b_.after(std::chrono::milliseconds(30));
  }
  void fill_counters() {
    MemoryMetrics& m = b_.pool.base;
    m.peak_bytes = std::uint64_t{250} << 20;
    m.total_allocations = 2500;
    m.total_bytes = std::uint64_t{5} << 30;
    m.waste_bytes = 1 << 20;
    m.metadata_bytes = 300'000;
    m.small = {.committed_bytes = std::uint64_t{8} << 20,
               .free_bytes = std::uint64_t{3} << 20,
               .largest_free_bytes = std::uint64_t{1} << 20};
    m.large = {.live_bytes = std::uint64_t{200} << 20,
               .committed_bytes = std::uint64_t{256} << 20,
               .free_bytes = std::uint64_t{50} << 20,
               .largest_free_bytes = std::uint64_t{32} << 20};
    m.devices.resize(1);
    m.devices[0].live_bytes = std::uint64_t{200} << 20;
    m.classes = {{.block_bytes = 4096, .live_blocks = 2, .allocations = 9}};
    std::uint64_t offset = 0;
    for (int i = 0; i < 160; ++i) {
      const auto bytes = static_cast<std::uint64_t>(1 + i * 7 % 13) << 18;
      const auto state = i > 140       ? RangeState::reserved
                         : i % 11 == 4 ? RangeState::decommitted
                         : i % 3 == 1  ? RangeState::free
                                       : RangeState::used;
      b_.pool.map.push_back({offset, bytes, state});
      offset += bytes;
    }
  }

  Bench b_;
};

}  // namespace bitnet::testing
