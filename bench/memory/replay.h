// SPDX-License-Identifier: MIT OR Apache-2.0
// Plays a trace against the allocator under test.
#pragma once

#include "bench/memory/adapter.h"
#include "bench/memory/trace.h"

namespace bitnet::bench {

struct LiveBlock {
  void* data;
  std::uint32_t bytes;
};

/// The trace that every case plays, and where its blocks are.
struct Replay {
  explicit Replay(int requests)
      : trace(make_trace(7, requests)), blocks(make_array<LiveBlock>(trace.num_ids)) {}

  /// Nanoseconds for each allocation with its free. `use(data, bytes)` writes a new block.
  template <class Use>
  double run(Use use) {
    const double begin = now_ns();
    for (const TraceEvent& event : trace.events) {
      LiveBlock& block = blocks[event.id];
      if (event.bytes != 0) {
        block = {Adapter::allocate(event.bytes), event.bytes};
        use(block.data, event.bytes);
      } else {
        Adapter::deallocate(block.data, block.bytes);
      }
    }
    return (now_ns() - begin) / static_cast<double>(trace.allocations);
  }
  double run_untouched() {
    return run([](void* data, std::size_t) { touch_first(data); });
  }
  double run_touched() {
    return run([](void* data, std::size_t bytes) { touch_pages(data, bytes); });
  }

  Trace trace;
  Array<LiveBlock> blocks;
};

}  // namespace bitnet::bench
