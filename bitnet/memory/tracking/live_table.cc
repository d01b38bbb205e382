// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/live_table.h"

#include <algorithm>

namespace bitnet {
namespace {

constexpr std::size_t kFirstSlots = 1024;
constexpr int kMost = INT16_MAX;

}  // namespace

LiveTable::LiveTable(std::size_t max_blocks) : max_blocks_(max_blocks), slots_(kFirstSlots) {}

std::size_t LiveTable::home(std::uint64_t address) const noexcept {
  return static_cast<std::size_t>(address * 0x9E3779B97F4A7C15u >> 20) & (slots_.size() - 1);
}

std::size_t LiveTable::slot_of(std::uint64_t address) const noexcept {
  std::size_t at = home(address);
  while (slots_[at].balance_ != 0 && slots_[at].address != address)
    at = (at + 1) & (slots_.size() - 1);
  return at;
}

void LiveTable::grow() {
  std::vector<LiveBlock> old(slots_.size() * 2);
  old.swap(slots_);
  for (const LiveBlock& block : old)
    if (block.balance_ != 0) slots_[slot_of(block.address)] = block;
}

LiveBlock* LiveTable::insert(const LiveBlock& block, std::int16_t balance) {
  if (used_ >= max_blocks_) {
    untracked_ += balance > 0;
    return nullptr;
  }
  if ((used_ + 1) * 4 > slots_.size() * 3) grow();
  LiveBlock& slot = slots_[slot_of(block.address)];
  slot = block;
  slot.balance_ = balance;
  ++used_;
  return &slot;
}

/// Entries behind the hole move up, so that a search may stop at the first free slot.
void LiveTable::erase(std::size_t hole) noexcept {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (hole + 1) & mask; slots_[at].balance_ != 0; at = (at + 1) & mask) {
    if (((at - home(slots_[at].address)) & mask) < ((at - hole) & mask)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
  --used_;
}

/// Moves a balance away from 0 or 1, and sees to it that it is settled in the end.
void LiveTable::add_to_balance(LiveBlock& slot, int change) {
  const bool listed =
      slot.balance_ != 0 && slot.balance_ != 1 && slot.pass_ == static_cast<std::uint16_t>(pass_);
  slot.balance_ = static_cast<std::int16_t>(std::clamp(slot.balance_ + change, -kMost, kMost));
  slot.pass_ = static_cast<std::uint16_t>(pass_);
  if (!listed) unsettled_.push_back({slot.address, pass_});
}

LiveChange LiveTable::allocate(const LiveBlock& block) {
  LiveChange change;
  const std::size_t at = slot_of(block.address);
  LiveBlock& slot = slots_[at];
  if (slot.balance_ == 0) {
    change.began = insert(block, 1) != nullptr;
  } else if (slot.balance_ > 0) {  // its free is still in another ring
    change.began = change.ended = true;
    change.block = slot;
    slot = block;
    slot.balance_ = change.block.balance_;
    slot.pass_ = change.block.pass_;
    add_to_balance(slot, 1);
  } else {
    change.began = change.ended = change.began_first = change.freed = true;
    change.block = block;
    change.freed_by = slot.thread;
    if (slot.balance_ == -1)
      erase(at);
    else
      ++slot.balance_;
  }
  return change;
}

LiveChange LiveTable::free(std::uint64_t address, std::uint64_t time_ms, ThreadNumber thread) {
  LiveChange change;
  const std::size_t at = slot_of(address);
  LiveBlock& slot = slots_[at];
  change.freed_by = thread;
  if (slot.balance_ > 0) {
    change.freed = true;
    change.block = slot;
    if (slot.balance_ == 1) {
      change.ended = true;
      erase(at);
    } else {
      --slot.balance_;
    }
    return change;
  }
  if (slot.balance_ < 0) {
    add_to_balance(slot, -1);
    return change;
  }
  LiveBlock early;
  early.address = address;
  early.time_ms = time_ms;
  early.thread = thread;
  if (LiveBlock* entry = insert(early, 0)) add_to_balance(*entry, -1);
  return change;
}

LiveBlock* LiveTable::find(std::uint64_t address) noexcept {
  LiveBlock& slot = slots_[slot_of(address)];
  return slot.balance_ > 0 ? &slot : nullptr;
}

void LiveTable::forget(std::uint64_t address) noexcept {
  const std::size_t at = slot_of(address);
  if (slots_[at].balance_ > 0) erase(at);
}

void LiveTable::end_pass() {
  std::size_t kept = 0;
  for (const Unsettled& item : unsettled_) {
    if (item.pass == pass_) {
      unsettled_[kept++] = item;
      continue;
    }
    const std::size_t at = slot_of(item.address);
    LiveBlock& slot = slots_[at];
    if (slot.pass_ != static_cast<std::uint16_t>(item.pass)) continue;  // listed again since
    if (slot.balance_ < 0) {
      unmatched_ += static_cast<std::uint64_t>(-slot.balance_);
      erase(at);
    } else if (slot.balance_ > 1) {
      unmatched_ += static_cast<std::uint64_t>(slot.balance_ - 1);
      slot.balance_ = 1;
    }
  }
  unsettled_.erase(unsettled_.begin() + static_cast<std::ptrdiff_t>(kept), unsettled_.end());
  ++pass_;
}

}  // namespace bitnet
