// SPDX-License-Identifier: MIT OR Apache-2.0
// What a server of a 2B transformer asks of its allocator.
#pragma once

#include "bench/memory/harness.h"

namespace bitnet::bench {

struct TraceEvent {
  std::uint32_t id;
  std::uint32_t bytes;  // 0: block `id` is freed
};

struct Trace {
  Array<TraceEvent> events = make_array<TraceEvent>();
  std::uint32_t num_ids = 0;  // ids are used again after a free
  std::uint64_t allocations = 0;
  std::uint64_t peak_live_bytes = 0;
};

/// Continuous batching of up to 3 requests over 18 layers (width 2048, feed-forward 16384, 8 heads,
/// one KV head of 256, 256,000 tokens): activations in float32 that live for a few operations, a
/// node, a shape and at times a name for each, KV pages of 16 positions that live as long as their
/// request (every third prompt's as prefix cache longer), scratch of 1 to 16 MiB.
Trace make_trace(std::uint64_t seed, int requests);

}  // namespace bitnet::bench
