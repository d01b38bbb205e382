// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows a small workload block by block: who holds what, for how long, what was forgotten.
//   memory_tracking_demo [REPORT.html]
#include <bitnet/memory/hybrid_pool.h>
#include <bitnet/memory/tracking/detailed_metrics.h>
#include <bitnet/memory/tracking/export/html.h>
#include <bitnet/memory/tracking/report.h>
#include <bitnet/memory/tracking/tracker.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <vector>

using namespace std::chrono_literals;

namespace {

// Layers whose activations come and go while a cache grows.
void work(bitnet::HybridMemoryPool& pool, std::vector<bitnet::MemoryHandle>& cache) {
  for (int step = 0; step < 50; ++step) {
    const bitnet::TagScope tag("activations");
    const bitnet::MemoryHandle hidden = pool.allocate(2560 * 4 * 64);
    const bitnet::MemoryHandle scores = pool.allocate(64 * 64 * 20 * 4);
    std::memset(hidden.data(), 0, hidden.size_bytes());
    const bitnet::TagScope inner("kv_cache");
    cache.push_back(pool.allocate(16 * 1024));
    pool.tracker()->poll();  // the tracker's thread would do it a little later
  }
}

}  // namespace

int main(int argc, char** argv) try {
  bitnet::MemoryPoolConfig config;
  config.enable_advanced_tracking = true;
  config.tracking_config = bitnet::TrackingConfig::debug();
  bitnet::HybridMemoryPool pool(config);

  std::vector<bitnet::MemoryHandle> cache;
  pool.tracker()->start_profile("50 steps");
  work(pool, cache);
  pool.tracker()->stop_profile();

  const bitnet::DetailedMemoryMetrics metrics = *pool.detailed_metrics();
  std::printf("live %zu bytes in %zu blocks, peak %zu bytes, pressure %s\n",
              metrics.memory.live_bytes, metrics.memory.live_blocks, metrics.memory.peak_bytes,
              std::string(to_string(metrics.pressure_level)).c_str());
  for (const bitnet::TagStats& tag : metrics.top_tags)
    std::printf("  %-12s %8zu bytes live\n", bitnet::tag_name(tag.tag).c_str(), tag.live_bytes);
  std::printf("events seen %zu, lost %zu\n", metrics.events.seen, metrics.events.lost);
  const bitnet::LeakReport leaks = pool.tracker()->find_leaks(0ms);
  std::printf("blocks nobody gave back yet: %zu\n", leaks.blocks);
  if (argc > 1) std::ofstream(argv[1]) << bitnet::to_html(pool.tracker()->report());
} catch (const std::exception& e) {
  std::fprintf(stderr, "memory_tracking_demo: %s\n", e.what());
  return 1;
}
