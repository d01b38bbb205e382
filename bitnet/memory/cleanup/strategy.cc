// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/strategy.h"

#include <algorithm>
#include <thread>

namespace bitnet {
namespace {

void add(CleanupResult& sum, const CleanupResult& more) {
  sum.bytes_returned += more.bytes_returned;
  sum.blocks_moved += more.blocks_moved;
  sum.bytes_moved += more.bytes_moved;
  sum.blocks_compressed += more.blocks_compressed;
  sum.moves_undone += more.moves_undone;
  sum.complete = more.complete;
}

}  // namespace

std::string_view to_string(CleanupKind kind) noexcept {
  constexpr std::string_view kNames[] = {"idle", "pressure", "periodic", "device", "generational"};
  return kNames[static_cast<int>(kind)];
}

void CleanupRun::trim(CleanupClock::duration age, std::optional<Device> device,
                      std::uint64_t min_block_bytes) {
  TrimRequest request;
  request.device = device;
  request.min_age =
      std::max(std::chrono::duration_cast<std::chrono::milliseconds>(age),
               age == CleanupClock::duration::zero() ? std::chrono::milliseconds(0)
                                                     : config_.thresholds.age.min_age);
  request.min_block_bytes = std::max(min_block_bytes, config_.thresholds.size.min_block_bytes);
  request.deadline = deadline_;
  add(result_, target_.trim(request));
}

// `step(max_blocks)` does at most so much and returns its result.
template <class Step>
void CleanupRun::in_batches(Step&& step) {
  for (;;) {
    const std::uint64_t left =
        config_.policy.max_blocks - std::min(config_.policy.max_blocks, blocks_);
    if (left == 0) {
      result_.complete = false;
      return;
    }
    const std::uint64_t most =
        config_.policy.incremental ? std::min(left, config_.policy.batch_blocks) : left;
    const CleanupResult done = step(most);
    const std::uint64_t blocks = done.blocks_moved + done.blocks_compressed;
    blocks_ += blocks;
    add(result_, done);
    if (done.complete || blocks == 0 || !config_.policy.incremental) return;
    if (CleanupClock::now() >= deadline_) return;
    if (config_.policy.cooperative) std::this_thread::yield();
  }
}

void CleanupRun::compact() {
  if (!config_.enable_compaction) return;
  if (config_.safety.validate) target_.validate();
  in_batches([&](std::uint64_t most) {
    CompactRequest request;
    request.max_blocks = most;
    request.validate = config_.safety.rollback;
    request.deadline = deadline_;
    return target_.compact(request);
  });
  if (config_.safety.validate) target_.validate();
}

void CleanupRun::compress(CleanupClock::duration age) {
  in_batches([&](std::uint64_t most) {
    CompressRequest request;
    request.min_age = std::chrono::duration_cast<std::chrono::milliseconds>(age);
    request.max_blocks = most;
    request.deadline = deadline_;
    return target_.compress(request);
  });
}

}  // namespace bitnet
