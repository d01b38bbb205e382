// SPDX-License-Identifier: MIT OR Apache-2.0
// Makes memory sparse, then gives it back step by step: trim, compaction, compression.
#include <bitnet/base/os/memory.h>
#include <bitnet/memory/cleanup/manager.h>
#include <bitnet/memory/hybrid_pool.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <random>
#include <vector>

namespace {

void print(const char* what, const bitnet::HybridMemoryPool& pool) {
  std::printf("%-22s resident %6.1f MiB, live %6.1f MiB\n", what,
              static_cast<double>(bitnet::os::memory_info().resident_bytes) / (1 << 20),
              static_cast<double>(pool.metrics().live_bytes) / (1 << 20));
}

void print(const bitnet::CleanupReport& report) {
  std::printf("  %s: %.1f MiB returned, %zu blocks moved, %zu compressed, %.1f ms%s%s\n",
              std::string(to_string(report.kind)).c_str(),
              static_cast<double>(report.result.bytes_returned) / (1 << 20),
              report.result.blocks_moved, report.result.blocks_compressed,
              static_cast<double>(report.time.count()) / 1e6, report.error.empty() ? "" : ": ",
              report.error.c_str());
}

}  // namespace

int main() try {
  bitnet::MemoryPoolConfig config;
  config.cleanup_config = bitnet::CleanupConfig{};
  config.cleanup_config->policy.max_blocks = 100'000;
  config.cleanup_config->max_cleanup_time = std::chrono::seconds(5);
  bitnet::HybridMemoryPool pool(config);
  std::minstd_rand random(1);
  std::vector<bitnet::MovableHandle> blocks;
  for (int i = 0; i < 6000; ++i) {
    blocks.push_back(pool.allocate_movable(64 + random() % 60'000));
    const bitnet::Pin pin = blocks.back().pin();  // it stays in place while it is pinned
    std::memset(pin.data(), i % 3, pin.size_bytes());
  }
  print("6000 blocks", pool);
  std::erase_if(blocks, [&](const bitnet::MovableHandle&) { return random() % 5 != 0; });
  print("4 of 5 freed", pool);

  const bitnet::TrimRequest everything;
  const bitnet::CleanupResult trimmed = pool.trim(everything);
  std::printf("  trim: %.1f MiB returned\n",
              static_cast<double>(trimmed.bytes_returned) / (1 << 20));
  print("after trim", pool);

  pool.cleanup().on_pressure(0.9);
  print(pool.cleanup().run(bitnet::CleanupKind::pressure));
  print("after compaction", pool);

  pool.cleanup().on_pressure(1.0);
  print(pool.cleanup().run(bitnet::CleanupKind::pressure));
  print("after compression", pool);
  const bitnet::Pin back = blocks.front().pin();
  std::printf("first block unpacked again: %zu bytes\n", back.size_bytes());
} catch (const std::exception& e) {
  std::fprintf(stderr, "cleanup_system_demo: %s\n", e.what());
  return 1;
}
