// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/handle_table.h"

#include <algorithm>
#include <new>

namespace bitnet::memory {

bool HandleTable::refill(ThreadHeap& heap) noexcept {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    const std::uint32_t first = size_.load(std::memory_order_relaxed);
    if (first / kChunk == kMaxChunks) return false;
    static_assert(sizeof(HandleSlot) % 8 == 0);
    try {
      free_.reserve(std::size_t{first} + kChunk);
    } catch (const std::bad_alloc&) {
      return false;
    }
    void* memory = metadata_.take_words(kChunk * sizeof(HandleSlot) / 8);
    if (!memory) return false;
    auto* slots = static_cast<HandleSlot*>(memory);
    for (std::uint32_t i = 0; i < kChunk; ++i) {
      new (&slots[i]) HandleSlot;
      free_.push_back(first + kChunk - 1 - i);
    }
    chunks_[first / kChunk].store(slots, std::memory_order_release);
    size_.store(first + kChunk, std::memory_order_release);
  }
  const auto count = std::min<std::size_t>(free_.size(), heap.handle_slots.size() / 2);
  std::copy(free_.end() - static_cast<std::ptrdiff_t>(count), free_.end(),
            heap.handle_slots.begin());
  free_.resize(free_.size() - count);
  heap.num_handle_slots = static_cast<std::uint32_t>(count);
  return true;
}

std::optional<std::uint32_t> HandleTable::take(ThreadHeap& heap) noexcept {
  if (heap.num_handle_slots == 0 && !refill(heap)) return std::nullopt;
  return heap.handle_slots[--heap.num_handle_slots];
}

void HandleTable::give(ThreadHeap& heap, std::uint32_t index) noexcept {
  if (heap.num_handle_slots == heap.handle_slots.size()) {
    const std::size_t half = heap.handle_slots.size() / 2;
    const std::lock_guard lock(mutex_);
    free_.insert(free_.end(), heap.handle_slots.begin(),
                 heap.handle_slots.begin() + static_cast<std::ptrdiff_t>(half));
    std::copy(heap.handle_slots.begin() + static_cast<std::ptrdiff_t>(half),
              heap.handle_slots.end(), heap.handle_slots.begin());
    heap.num_handle_slots = static_cast<std::uint32_t>(half);
  }
  heap.handle_slots[heap.num_handle_slots++] = index;
}

void HandleTable::retire(ThreadHeap& heap) noexcept {
  const std::lock_guard lock(mutex_);
  free_.insert(free_.end(), heap.handle_slots.begin(),
               heap.handle_slots.begin() + heap.num_handle_slots);
  heap.num_handle_slots = 0;
}

}  // namespace bitnet::memory
