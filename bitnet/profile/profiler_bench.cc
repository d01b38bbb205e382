// SPDX-License-Identifier: MIT OR Apache-2.0
// What a span costs: off, on, on with work counted, and inside another; `empty` is the loop.
// Shared machines: --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <benchmark/benchmark.h>

#include "bitnet/profile/profiler.h"

namespace bitnet::profile {
namespace {

void empty(benchmark::State& state) {
  for (auto _ : state) benchmark::ClobberMemory();
}

void span_off(benchmark::State& state) {
  stop();
  for (auto _ : state) {
    const Span span("op", [&] {
      return Work{static_cast<std::uint64_t>(state.iterations()), 0, 0};
    });
    benchmark::ClobberMemory();
  }
}

void span_on(benchmark::State& state) {
  start({.events_per_thread = static_cast<std::size_t>(state.range(0))});
  for (auto _ : state) {
    const Span span("op", [&] { return Work{8, 9, 10}; });
    benchmark::ClobberMemory();
  }
  stop();
}

// As in a layer: other names one after the other, inside a span.
void twelve_spans_in_one(benchmark::State& state) {
  start({.events_per_thread = 1 << 16});
  for (auto _ : state) {
    const Span layer("layer");
    for (int i = 0; i < 4; ++i) {
      { const Span span("a"); }
      { const Span span("b"); }
      { const Span span("c"); }
    }
  }
  stop();
}

BENCHMARK(empty);
BENCHMARK(span_off);
BENCHMARK(span_on)->ArgName("events")->Arg(0)->Arg(1 << 24);
BENCHMARK(twelve_spans_in_one);

}  // namespace
}  // namespace bitnet::profile
