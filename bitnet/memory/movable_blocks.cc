// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks that may move: pins, compaction, compression.
#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/memory/hybrid_pool_state.h"

namespace bitnet {

using memory::HandleSlot;
using memory::kUnitBytes;
using Door = memory::HostPool::Door;

std::byte* HybridMemoryPool::State::pin(HandleId id) {
  HandleSlot* slot = handles.find(id.index);
  require(slot && id.pool == pool_number && slot->generation.load() == id.generation,
          "MovableHandle::pin: stale handle");
  std::uint32_t pins = slot->pins.load(std::memory_order_relaxed);
  for (;;) {
    if (pins & HandleSlot::kBusy) {
      // A move takes microseconds, packing a large block milliseconds.
      std::this_thread::yield();
      pins = slot->pins.load(std::memory_order_relaxed);
    } else if (pins & HandleSlot::kParked) {
      const std::shared_lock gate(unpark_gate);
      if (!slot->pins.compare_exchange_weak(pins, HandleSlot::kBusy | HandleSlot::kParked))
        continue;
      bool unpacked = false;
      try {
        unpacked = unpark(*slot);
      } catch (...) {
        slot->pins.store(HandleSlot::kParked);
        throw;
      }
      if (!unpacked) {
        slot->pins.store(HandleSlot::kParked);
        fail(Errc::out_of_memory, "out of memory: " + std::to_string(slot->bytes) +
                                      " bytes to unpack a compressed block");
      }
      slot->pins.store(1, std::memory_order_release);
      break;
    } else if (slot->pins.compare_exchange_weak(pins, pins + 1, std::memory_order_acquire)) {
      break;
    }
  }
  return slot->data;
}

void HybridMemoryPool::State::unpin(HandleId id) noexcept {
  HandleSlot& slot = *handles.find(id.index);
  slot.last_pin_ms.store(static_cast<std::uint32_t>(os::coarse_milliseconds()),
                         std::memory_order_relaxed);
  if (slot.incompressible.load(std::memory_order_relaxed)) slot.incompressible = false;
  slot.pins.fetch_sub(1, std::memory_order_release);
}

bool HybridMemoryPool::State::make_busy(HandleSlot& slot) noexcept {
  std::uint32_t nobody = 0;
  return slot.pins.compare_exchange_strong(nobody, HandleSlot::kBusy, std::memory_order_acquire);
}

// Only the bit goes: a slot whose block was freed meanwhile may have a new owner's pins by now.
void HybridMemoryPool::State::make_idle(HandleSlot& slot) noexcept {
  slot.pins.fetch_and(~HandleSlot::kBusy, std::memory_order_release);
}

void HybridMemoryPool::State::release_movable(HandleSlot& slot) noexcept {
  // A compaction or packing that began before the handle's end finishes first.
  while (slot.pins.load(std::memory_order_acquire) & HandleSlot::kBusy) std::this_thread::yield();
  if (slot.parked) {
    inactive.discard(slot.parked);
    slot.parked = nullptr;
  }
}

bool HybridMemoryPool::State::unpark(HandleSlot& slot) {
  const std::size_t alignment = std::size_t{1} << slot.log2_alignment;
  void* block = host.allocate<Door::handle>(slot.bytes, alignment);
  if (!block) return false;
  try {
    inactive.unpark(slot.parked, {static_cast<std::byte*>(block), slot.bytes});
  } catch (...) {
    host.deallocate<Door::handle>(block, slot.bytes);
    throw;
  }
  slot.parked = nullptr;
  slot.data = static_cast<std::byte*>(block);
  return true;
}

bool HybridMemoryPool::State::move_small(HandleSlot& slot, bool validate,
                                         CleanupResult& result) noexcept {
  void* to = host.allocate_or_fail(slot.bytes, std::size_t{1} << slot.log2_alignment, Door::handle);
  if (!to) return false;
  if (slot.bytes > 0) std::memcpy(to, slot.data, slot.bytes);
  if (validate && slot.bytes > 0 && std::memcmp(to, slot.data, slot.bytes) != 0) {
    ++result.moves_undone;
    host.deallocate<Door::handle>(to, slot.bytes);
    return false;
  }
  host.deallocate_to_span(slot.data, slot.bytes);
  slot.data = static_cast<std::byte*>(to);
  ++result.blocks_moved;
  result.bytes_moved += slot.bytes;
  return true;
}

CleanupResult HybridMemoryPool::State::compact(const CompactRequest& request) {
  const std::lock_guard one(compact_mutex);
  CleanupResult result;
  const auto late = [&] {
    return result.blocks_moved >= request.max_blocks ||
           (request.deadline != CleanupClock::time_point::max() &&
            CleanupClock::now() >= request.deadline);
  };
  host.flush();
  std::array<bool, memory::kNumClasses> leaving{};
  for (std::uint32_t i = 0; i < memory::kNumClasses; ++i)
    leaving[i] = host.small().begin_evacuation(i);
  memory::LargeBlockPool& large = host.large();
  struct LargeSlot {
    std::uint32_t unit, generation;
    HandleSlot* slot;
  };
  std::vector<LargeSlot> large_slots;
  for (std::uint32_t i = 0; i < handles.size(); ++i) {
    if ((i & 63) == 0 && late()) {
      result.complete = false;
      break;
    }
    HandleSlot& slot = *handles.find(i);
    const std::uint32_t generation = slot.generation.load(std::memory_order_acquire);
    if (generation % 2 == 0 || !slot.movable || !make_busy(slot)) continue;
    if (slot.generation.load(std::memory_order_acquire) == generation && slot.data) {
      if (host.small().arenas().contains(slot.data)) {
        const memory::Span& span = host.small().span_of(slot.data);
        if (span.evacuating) move_small(slot, request.validate, result);
      } else if (large.arenas().contains(slot.data)) {
        large_slots.push_back({large.arenas().unit_of(slot.data), generation, &slot});
      }
    }
    make_idle(slot);
  }
  // Large blocks from the highest address down: each goes to the lowest place that holds it.
  std::sort(large_slots.begin(), large_slots.end(),
            [](const auto& a, const auto& b) { return a.unit > b.unit; });
  for (const auto& [unit, generation, slot] : large_slots) {
    if (late()) {
      result.complete = false;
      break;
    }
    if (!make_busy(*slot)) continue;
    if (slot->generation.load(std::memory_order_acquire) == generation && slot->data) {
      const std::uint32_t to = large.move_down(unit);
      if (to != memory::kNoUnit) {
        slot->data = large.arenas().address(to);
        ++result.blocks_moved;
        result.bytes_moved += slot->bytes;
      }
    }
    make_idle(*slot);
  }
  host.flush();
  for (std::uint32_t i = 0; i < memory::kNumClasses; ++i)
    if (leaving[i]) host.small().end_evacuation(i);
  TrimRequest rest;
  rest.device = Device{};
  result.bytes_returned = trim(rest).bytes_returned;
  return result;
}

CleanupResult HybridMemoryPool::State::compress(const CompressRequest& request) {
  const std::lock_guard one(compact_mutex);
  CleanupResult result;
  const auto now = static_cast<std::uint32_t>(os::coarse_milliseconds());
  for (std::uint32_t i = 0; i < handles.size(); ++i) {
    if (result.blocks_compressed >= request.max_blocks ||
        (request.deadline != CleanupClock::time_point::max() &&
         CleanupClock::now() >= request.deadline)) {
      result.complete = false;
      break;
    }
    HandleSlot& slot = *handles.find(i);
    const std::uint32_t generation = slot.generation.load(std::memory_order_acquire);
    if (generation % 2 == 0 || !slot.movable || slot.incompressible ||
        slot.bytes < request.min_block_bytes)
      continue;
    const std::uint32_t age = now - slot.last_pin_ms.load(std::memory_order_relaxed);
    if (age < static_cast<std::uint64_t>(std::max<std::int64_t>(0, request.min_age.count())))
      continue;
    if (!make_busy(slot)) continue;
    if (slot.generation.load(std::memory_order_acquire) == generation && slot.data) {
      slot.parked = inactive.park({slot.data.load(), slot.bytes.load()});
      if (slot.parked) {
        host.deallocate<Door::handle>(slot.data, slot.bytes);
        slot.data = nullptr;
        ++result.blocks_compressed;
        slot.pins.store(HandleSlot::kParked, std::memory_order_release);
        continue;
      }
      slot.incompressible = true;
    }
    make_idle(slot);
  }
  if (result.blocks_compressed > 0) {
    TrimRequest rest;
    rest.device = Device{};
    result.bytes_returned = trim(rest).bytes_returned;
  }
  return result;
}

}  // namespace bitnet
