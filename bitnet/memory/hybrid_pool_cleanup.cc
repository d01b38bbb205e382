// SPDX-License-Identifier: MIT OR Apache-2.0
// How a HybridMemoryPool gives memory back: trim, the way out of memory pressure, its heap walk.
#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/memory/hybrid_pool_state.h"

namespace bitnet {

using memory::HandleSlot;
using memory::kUnitBytes;

CleanupResult HybridMemoryPool::State::trim(const TrimRequest& request) {
  CleanupResult result;
  const auto late = [](void* context) {
    const auto& deadline = static_cast<const TrimRequest*>(context)->deadline;
    return deadline != CleanupClock::time_point::max() && CleanupClock::now() >= deadline;
  };
  auto* context = const_cast<TrimRequest*>(&request);
  const auto left = [&] {
    return request.max_bytes - std::min(request.max_bytes, result.bytes_returned);
  };
  const auto age = static_cast<std::uint64_t>(std::max<std::int64_t>(0, request.min_age.count()));
  if (!request.device || *request.device == Device{}) {
    if (age == 0) {
      host.flush();
      host.footprint().reset_peak();
    }
    const auto min_units = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(request.min_block_bytes / kUnitBytes, 1, memory::kArenaUnits));
    for (memory::Arenas* arenas : {&host.large().arenas(), &host.small().arenas()})
      result.bytes_returned += arenas->trim(left(), age, min_units, late, context).bytes;
    if (request.min_block_bytes < kUnitBytes && left() > 0)
      result.bytes_returned += host.small().purge_free_pages(left(), age, late, context);
  }
  for (std::uint16_t n = 1; n <= devices.size(); ++n) {
    if (request.device && !(devices.device(n) == *request.device)) continue;
    if (left() > 0)
      result.bytes_returned += devices.at(n).trim(left(), age, request.min_block_bytes);
  }
  result.complete = left() > 0 && !late(context);
  return result;
}

std::vector<Device> HybridMemoryPool::cleanup_devices() const {
  std::vector<Device> all;
  for (std::uint16_t n = 1; n <= state_->devices.size(); ++n)
    all.push_back(state_->devices.device(n));
  return all;
}

CleanupResult HybridMemoryPool::trim(const TrimRequest& request) { return state_->trim(request); }
CleanupResult HybridMemoryPool::compact(const CompactRequest& request) {
  return state_->compact(request);
}
CleanupResult HybridMemoryPool::compress(const CompressRequest& request) {
  return state_->compress(request);
}

bool HybridMemoryPool::State::call_failure_callback(std::size_t bytes) noexcept {
  std::shared_ptr<std::function<bool(std::size_t)>> callback;
  {
    const std::lock_guard lock(failure_mutex);
    callback = failure_callback;
  }
  if (!callback) return false;
  {
    const std::lock_guard lock(steps_mutex);
    ++steps.callbacks;
  }
  try {
    return (*callback)(bytes);
  } catch (...) {
    return false;  // a callback that throws freed nothing
  }
}

void* HybridMemoryPool::State::allocate_after_steps(std::size_t bytes, std::size_t alignment,
                                                    memory::HostPool::Door door) noexcept {
  const auto retry = [&] { return host.allocate_or_fail(bytes, alignment, door); };
  // What no step could ever serve: an alignment that is none, more than the limit.
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > memory::kMaxAlignment ||
      bytes > std::max(config.max_small_bytes, config.max_large_bytes))
    return nullptr;
  const auto count = [&](auto&& change) {
    const std::lock_guard lock(steps_mutex);
    change(steps);
  };
  try {
    const CleanupResult trimmed = trim({});
    count([&](PressureSteps& s) {
      ++s.trims;
      s.trimmed_bytes += trimmed.bytes_returned;
    });
    if (void* block = retry()) return block;
    const CleanupResult moved = compact({});
    count([&](PressureSteps& s) {
      ++s.compactions;
      s.moved_blocks += moved.blocks_moved;
      s.compacted_bytes += moved.bytes_returned;
    });
    if (void* block = retry()) return block;
    const CleanupResult packed = compress({});
    count([&](PressureSteps& s) {
      ++s.compressions;
      s.compressed_blocks += packed.blocks_compressed;
      s.compressed_saved_bytes += packed.bytes_returned;
    });
    if (packed.blocks_compressed > 0)
      if (void* block = retry()) return block;
  } catch (...) {
    // A step that failed helped nothing; the next one may.
  }
  for (int i = 0; i < kMaxFailureCalls && call_failure_callback(bytes); ++i)
    if (void* block = retry()) return block;
  count([](PressureSteps& s) { ++s.failures; });
  return nullptr;
}

void HybridMemoryPool::validate() const {
  state_->host.validate();
  for (std::uint16_t n = 1; n <= state_->devices.size(); ++n) state_->devices.at(n).validate();
  for (std::uint32_t i = 0; i < state_->handles.size(); ++i) {
    const HandleSlot* slot = state_->handles.find(i);
    const std::uint32_t generation = slot->generation.load(std::memory_order_acquire);
    if (generation % 2 == 0 || slot->device != 0 || slot->movable) continue;
    const std::byte* data = slot->data;
    const std::size_t bytes = slot->bytes;
    // A block that was freed meanwhile says nothing: looked at again before anything is said.
    const bool held = state_->host.may_hold(data, bytes);
    const bool intact = !state_->config.hardened || state_->host.intact(data, bytes);
    if ((held && intact) || slot->generation.load(std::memory_order_acquire) != generation)
      continue;
    fail(Errc::internal, "memory pool: " +
                             std::string(held ? "bytes behind the end of the block of handle "
                                              : "no memory in use holds the block of handle ") +
                             std::to_string(i) + (held ? " were written" : ""));
  }
}

}  // namespace bitnet
