// SPDX-License-Identifier: MIT OR Apache-2.0
// The memory blocks of README.md: tests/tree/readme_code.py compares them with what lies between
// the marks here.
#include <bitnet/memory/cleanup/manager.h>
#include <bitnet/memory/hybrid_pool.h>
#include <bitnet/memory/tracking/detailed_metrics.h>

#include <cstdio>

using namespace std::chrono_literals;

static void basic() {
  // [basic]
  bitnet::HybridMemoryPool pool;
  bitnet::MemoryHandle handle = pool.allocate(1024 * 1024, 64);  // bytes, alignment
  handle.data()[0] = std::byte{1};

  const bitnet::MemoryMetrics metrics = pool.metrics();
  std::printf("live %zu bytes, peak %zu bytes\n", metrics.live_bytes, metrics.peak_bytes);

  pool.deallocate(std::move(handle));  // or at the handle's end
  // [basic]
}

static void tracking() {
  // [tracking]
  bitnet::MemoryPoolConfig config;
  config.enable_advanced_tracking = true;
  config.tracking_config = bitnet::TrackingConfig::detailed();
  bitnet::HybridMemoryPool pool(config);

  const auto registration = pool.register_pressure_callback([](bitnet::PressureLevel level) {
    if (level >= bitnet::PressureLevel::high) std::fputs("memory is short\n", stderr);
  });
  const bitnet::MemoryHandle handle = pool.allocate(1 << 20);

  if (const auto detailed = pool.detailed_metrics())
    std::printf("pressure %s, fragmentation %.2f %%\n",
                std::string(to_string(detailed->pressure_level)).c_str(),
                detailed->fragmentation_ratio * 100);
  // [tracking]
}

static void configuration() {
  // [config]
  bitnet::MemoryPoolConfig config;
  config.initial_small_bytes = 64ull << 20;  // usable at once; memory is taken when written
  config.max_small_bytes = 512ull << 20;     // hard limits
  config.initial_large_bytes = 128ull << 20;
  config.max_large_bytes = 2ull << 30;

  config.enable_advanced_tracking = true;
  config.tracking_config = bitnet::TrackingConfig::standard();
  config.tracking_config->pressure_threshold_ratio = 0.8;
  config.tracking_config->leak_detection_interval = 60s;

  config.enable_automatic_cleanup = true;
  config.cleanup_config = bitnet::CleanupConfig{};
  config.cleanup_config->idle_cleanup_interval = 30s;
  config.cleanup_config->pressure_cleanup_threshold = 0.9;
  config.cleanup_config->enable_compaction = true;
  config.cleanup_config->max_cleanup_time = 100ms;

  bitnet::HybridMemoryPool pool(config);
  // [config]
  std::printf("limit %zu bytes\n", pool.metrics().large.limit_bytes);
}

int main() {
  basic();
  tracking();
  configuration();
}
