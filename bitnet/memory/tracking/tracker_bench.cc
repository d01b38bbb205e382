// SPDX-License-Identifier: MIT OR Apache-2.0
// What tracking costs the allocating thread, and the tracker's thread for each event.
#include <benchmark/benchmark.h>

#include <vector>

#include "bitnet/memory/tracking/report.h"
#include "bitnet/memory/tracking/tracker.h"

namespace bitnet {
namespace {

TrackingConfig config(double rate, bool stacks) {
  TrackingConfig c = TrackingConfig::detailed();
  c.sampling_rate = rate;
  c.enable_stack_traces = stacks;
  return c;
}

/// An allocation and its free, as the pool reports them, with the ring drained outside the time.
void record_pair(benchmark::State& state, double rate, bool stacks) {
  Tracker tracker(config(rate, stacks));
  EventRing* ring = tracker.open_ring();
  std::uint64_t address = 0x10000, left = 0;
  for (auto _ : state) {
    if (++left == EventRing::kCapacity / 4) [[unlikely]] {
      state.PauseTiming();
      tracker.poll();
      left = 0;
      state.ResumeTiming();
    }
    address += 64;
    tracker.record_allocation(*ring, address, 64);
    tracker.record_free(*ring, address, 64);
  }
  tracker.close_ring(ring);
}
BENCHMARK_CAPTURE(record_pair, every_block, 1.0, false);
BENCHMARK_CAPTURE(record_pair, one_in_a_hundred, 0.01, false);
BENCHMARK_CAPTURE(record_pair, with_stacks, 1.0, true);

/// An event's price on the tracker's thread: a ring of pairs among `live` blocks.
void drain(benchmark::State& state) {
  Tracker tracker(TrackingConfig::detailed());
  EventRing* ring = tracker.open_ring();
  const auto live = static_cast<std::uint64_t>(state.range(0));
  constexpr std::uint64_t kPairs = EventRing::kCapacity / 2;
  std::uint64_t next = 1;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::uint64_t i = 0; i < kPairs; ++i, ++next) {
      tracker.record_allocation(*ring, next * 64, 64 + next % 1000);
      if (next > live) tracker.record_free(*ring, (next - live) * 64, 0);
    }
    state.ResumeTiming();
    tracker.poll();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(2 * kPairs));
  tracker.close_ring(ring);
}
BENCHMARK(drain)->Arg(100)->Arg(100'000);

void capture_site(benchmark::State& state) {
  TrackingConfig c = TrackingConfig::debug();
  Tracker tracker(c);
  for (auto _ : state) {
    if (tracker.try_capture_site() == 0) {
      state.PauseTiming();
      while (tracker.try_capture_site() == 0) tracker.poll();
      state.ResumeTiming();
    }
  }
}
BENCHMARK(capture_site)->Iterations(2000);

}  // namespace
}  // namespace bitnet
