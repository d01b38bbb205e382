// SPDX-License-Identifier: MIT OR Apache-2.0
// The transformer server's blocks, in the steady state: a replay warms up before the measured ones.
#include "bench/memory/cases.h"
#include "bench/memory/replay.h"

namespace bitnet::bench {
namespace {

void trace(const Case& /*self*/, const Effort& effort) {
  Replay replay(effort.requests);
  replay.run_untouched();
  Samples untouched, touched;
  for (int i = 0; i < effort.replays; ++i) untouched.add(replay.run_untouched());
  emit("trace/untouched", untouched.median(), "ns");
  replay.run_touched();
  for (int i = 0; i < effort.replays; ++i) touched.add(replay.run_touched());
  emit("trace/touched", touched.median(), "ns");
}

constexpr Case kCases[] = {{"trace", trace}};

}  // namespace

std::span<const Case> trace_cases() { return kCases; }

}  // namespace bitnet::bench
