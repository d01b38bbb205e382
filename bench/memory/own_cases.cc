// SPDX-License-Identifier: MIT OR Apache-2.0
// What only our pool has: tracking levels, switched in one pool so that they differ in nothing
// else, and compaction.
#include <cstring>
#include <string>

#include "bench/memory/cases.h"
#include "bench/memory/replay.h"

namespace bitnet::bench {
namespace {

struct Level {
  const char* name;
  TrackingLevel level;
};
constexpr Level kLevels[] = {{"none", TrackingLevel::none},
                             {"basic", TrackingLevel::basic},
                             {"standard", TrackingLevel::standard},
                             {"detailed", TrackingLevel::detailed}};

void use_tracked_pool() {
  MemoryPoolConfig config = MemoryPoolConfig::machine();
  config.enable_advanced_tracking = true;
  config.tracking_config = TrackingConfig::detailed();
  Adapter::use(config);
}

/// One sample of each level, `rounds` times, each level as often first: what a level leaves behind
/// (a tracker that still works off events) meets all of them.
template <class Sample>
void emit_levels(const char* name, int rounds, Sample sample) {
  Samples samples[std::size(kLevels)];
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t at = 0; at < std::size(kLevels); ++at) {
      const std::size_t i =
          (at * (round % 2 == 0 ? 1u : 3u) + static_cast<std::size_t>(round)) % std::size(kLevels);
      Adapter::pool->set_tracking_level(kLevels[i].level);
      samples[i].add(sample());
    }
  }
  for (std::size_t i = 0; i < std::size(kLevels); ++i)
    emit(std::string(name) + "/" + kLevels[i].name, samples[i].median(), "ns");
}

void tracked_pair(const Case& self, const Effort& effort) {
  use_tracked_pool();
  constexpr int kPairs = 20'000;
  const int rounds = effort.cell_ns < 1e6 ? 1 : 101;
  emit_levels(self.name, rounds, [&] {
    const double begin = now_ns();
    for (int i = 0; i < kPairs; ++i) {
      void* block = Adapter::allocate(self.bytes);
      keep(block);
      Adapter::deallocate(block, self.bytes);
    }
    return (now_ns() - begin) / kPairs;
  });
}

/// The state that the other cases leave behind before the trace of the comparison runs.
void warm_up_large_blocks(const Effort& effort) {
  auto blocks = make_array<void*>(effort.fill_bytes >> 18);  // four times as many bytes
  for (void*& block : blocks) block = Adapter::allocate(1 << 20);
  for (void* block : blocks) Adapter::deallocate(block, 1 << 20);
}

void tracked_trace(const Case& self, const Effort& effort) {
  use_tracked_pool();
  warm_up_large_blocks(effort);
  Replay replay(effort.requests);
  replay.run_touched();
  // The differences are smaller than those of the comparison: four times the samples.
  emit_levels(self.name, 4 * effort.replays, [&] { return replay.run_touched(); });
}

/// As resident/drop, in blocks that the pool may move.
void compaction(const Case& self, const Effort& effort) {
  const std::size_t most = 400'000, wanted = 2 * effort.fill_bytes;
  auto blocks = make_array<MovableHandle>();
  blocks.reserve(most);
  { const MovableHandle first = Adapter::pool->allocate_movable(64); }
  const std::size_t base = resident_bytes();
  Random random(12345);
  std::uint64_t live = 0;
  while (live < wanted && blocks.size() < most) {
    const std::size_t low = std::size_t{64} << random.below(12);
    blocks.push_back(Adapter::pool->allocate_movable(low + random.below(low)));
    const Pin pin = blocks.back().pin();
    std::memset(pin.data(), 0x5a, pin.size_bytes());
    live += pin.size_bytes();
  }
  for (MovableHandle& block : blocks) {
    if (random.below(5) == 0) continue;
    live -= block.size_bytes();
    block = {};
  }
  const double begin = now_ns();
  Adapter::pool->compact();
  const double ns = now_ns() - begin;
  Adapter::trim();
  const auto resident = static_cast<double>(resident_bytes()) - static_cast<double>(base);
  emit(std::string(self.name) + "/compacted", resident / static_cast<double>(live), "ratio");
  emit(std::string(self.name) + "/time", ns / 1e6, "ms");
}

constexpr Case kCases[] = {{"tracking/pair", tracked_pair, 64},
                           {"tracking/trace", tracked_trace},
                           {"movable/drop", compaction}};

}  // namespace

std::span<const Case> own_cases() { return kCases; }

}  // namespace bitnet::bench
