// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/strategy.h"

#include <algorithm>
#include <thread>

namespace bitnet {

std::string_view to_string(CleanupKind kind) noexcept {
  constexpr std::string_view kNames[] = {"idle", "pressure", "periodic", "device", "generational"};
  return kNames[static_cast<int>(kind)];
}

// All but `complete`.
void CleanupRun::add(const CleanupResult& more) noexcept {
  result_.bytes_returned += more.bytes_returned;
  result_.blocks_moved += more.blocks_moved;
  result_.bytes_moved += more.bytes_moved;
  result_.blocks_compressed += more.blocks_compressed;
  result_.moves_undone += more.moves_undone;
}

bool CleanupRun::is_cancelled() noexcept {
  if (!cancelled_) return false;
  result_.complete = false;
  return true;
}

void CleanupRun::trim(CleanupClock::duration age, std::optional<Device> device,
                      std::uint64_t min_block_bytes) {
  if (is_cancelled()) return;
  TrimRequest request;
  request.device = device;
  request.min_age =
      std::max(std::chrono::duration_cast<std::chrono::milliseconds>(age),
               age == CleanupClock::duration::zero() ? std::chrono::milliseconds(0)
                                                     : config_.thresholds.age.min_age);
  request.min_block_bytes = std::max(min_block_bytes, config_.thresholds.size.min_block_bytes);
  request.deadline = deadline_;
  const CleanupResult done = target_.trim(request);
  add(done);
  result_.complete = result_.complete && done.complete;
}

// `step(max_blocks)` does at most so much and returns its result.
template <class Step>
void CleanupRun::in_batches(Step&& step) {
  while (!is_cancelled()) {
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
    add(done);
    if (done.complete) return;
    if (blocks == 0 || !config_.policy.incremental || CleanupClock::now() >= deadline_) {
      result_.complete = false;
      return;
    }
    if (config_.policy.cooperative) std::this_thread::yield();
  }
}

void CleanupRun::compact() {
  if (!config_.enable_compaction || is_cancelled()) return;
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
