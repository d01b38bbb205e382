// SPDX-License-Identifier: MIT OR Apache-2.0
// The frequent values of a stream, in fixed memory and constant time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitnet {

/// Each slot holds the majority of the values that hash to it (Boyer and Moore, "MJRTY", 1981) and
/// how often that value came since it took the slot: never more than the truth, and exact for a
/// value that had the slot from its first time on.
template <std::size_t kSlots>
class VoteTable {
 public:
  struct Entry {
    std::uint64_t value = 0;
    std::uint64_t count = 0;
  };

  void add(std::uint64_t value) noexcept {
    ++total_;
    Slot& slot = slots_[(value * 0x9E3779B97F4A7C15u >> 32) % kSlots];
    if (slot.votes == 0) slot = {{value, 0}, 0};
    if (slot.entry.value == value) {
      ++slot.votes;
      ++slot.entry.count;
    } else {
      --slot.votes;
    }
  }
  std::uint64_t total() const noexcept { return total_; }

  /// Most frequent first.
  std::vector<Entry> top(std::size_t count) const {
    std::vector<Entry> entries;
    for (const Slot& slot : slots_)
      if (slot.entry.count > 0) entries.push_back(slot.entry);
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return a.count != b.count ? a.count > b.count : a.value < b.value;
    });
    entries.resize(std::min(entries.size(), count));
    return entries;
  }

  /// The past counts half as much as before.
  void fade() noexcept {
    total_ /= 2;
    for (Slot& slot : slots_) {
      slot.votes /= 2;
      slot.entry.count /= 2;
    }
  }

 private:
  struct Slot {
    Entry entry;
    std::uint64_t votes = 0;
  };
  std::array<Slot, kSlots> slots_{};
  std::uint64_t total_ = 0;
};

}  // namespace bitnet
