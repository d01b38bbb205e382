// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/rings.h"

#include <algorithm>
#include <new>

namespace bitnet {

EventRing* Rings::open() noexcept {
  const std::lock_guard lock(mutex_);
  const auto idle = std::find_if(slots_.begin(), slots_.end(),
                                 [](const Slot& slot) { return slot.use == Use::idle; });
  if (idle != slots_.end()) {
    idle->use = Use::open;
    idle->thread = next_thread_++;
    return idle->ring.get();
  }
  try {
    slots_.push_back({std::make_unique_for_overwrite<EventRing>(), next_thread_, Use::open});
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  ++next_thread_;
  return slots_.back().ring.get();
}

Rings::Slot* Rings::find(const EventRing* ring) noexcept {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& s) { return s.ring.get() == ring; });
  return slot == slots_.end() ? nullptr : &*slot;
}

void Rings::close(EventRing* ring) noexcept {
  const std::lock_guard lock(mutex_);
  if (Slot* slot = find(ring); slot && slot->use == Use::open) slot->use = Use::closed;
}

const std::vector<Rings::Draining>& Rings::begin_drain() {
  const std::lock_guard lock(mutex_);
  draining_.clear();
  for (const Slot& slot : slots_)
    if (slot.use != Use::idle)
      draining_.push_back({slot.ring.get(), slot.thread, slot.use == Use::closed});
  return draining_;
}

void Rings::recycle(EventRing* ring) {
  const std::lock_guard lock(mutex_);
  if (Slot* slot = find(ring)) slot->use = Use::idle;
}

std::uint64_t Rings::lost() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t lost = 0;
  for (const Slot& slot : slots_) lost += slot.ring->lost();
  return lost;
}

std::size_t Rings::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return slots_.size() * sizeof(EventRing);
}

}  // namespace bitnet
