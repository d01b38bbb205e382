// SPDX-License-Identifier: MIT OR Apache-2.0
// The transformer server's blocks, in the steady state: a replay warms up before the measured ones.
#include "bench/memory/cases.h"
#include "bench/memory/replay.h"

namespace bitnet::bench {
namespace {

/// Ends early, with one sample at least, where a replay is slow (a page fault for every page).
constexpr double kMostNs = 1.5e9;

template <class Run>
double steady_ns(const Effort& effort, Run run) {
  run();
  Samples samples;
  const double begin = now_ns();
  while (samples.size() == 0 ||
         (samples.size() < static_cast<std::size_t>(effort.replays) && now_ns() - begin < kMostNs))
    samples.add(run());
  return samples.median();
}

void trace(const Case& /*self*/, const Effort& effort) {
  Replay replay(effort.requests);
  emit("trace/allocations", static_cast<double>(replay.trace.allocations), "");
  emit("trace/peak_live", static_cast<double>(replay.trace.peak_live_bytes), "bytes");
  emit("trace/untouched", steady_ns(effort, [&] { return replay.run_untouched(); }), "ns");
  emit("trace/touched", steady_ns(effort, [&] { return replay.run_touched(); }), "ns");
}

constexpr Case kCases[] = {{"trace", trace}};

}  // namespace

std::span<const Case> trace_cases() { return kCases; }

}  // namespace bitnet::bench
