// SPDX-License-Identifier: MIT OR Apache-2.0
// The blocks that are live, by address, from events that may come out of order or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitnet {

/// Of threads, by the order in which they opened a ring; they wrap.
using ThreadNumber = std::uint16_t;

struct LiveBlock {
  std::uint64_t address = 0;
  std::uint64_t time_ms = 0;  // of its allocation
  std::uint32_t size = 0;     // encoded_size()
  std::uint32_t site = 0;
  std::uint16_t tag = 0;
  ThreadNumber thread = 0;  // that allocated it

 private:
  friend class LiveTable;
  std::int16_t balance_ = 0;  // allocations less frees seen; 0: no entry
  std::uint16_t pass_ = 0;    // that last left it at neither 0 nor 1
};

/// What one event changed. Where both happened, the block began first if `began_first`.
struct LiveChange {
  bool began = false;        // the event's block (or `block`, where began_first) is new
  bool ended = false;        // `block` is no longer live
  bool began_first = false;  // free came before its allocation: one whole life
  bool freed = false;        // a free met its allocation: `block.thread` and `freed_by` are known
  LiveBlock block;
  ThreadNumber freed_by = 0;
};

/// Rings are drained one after the other, so a free may be seen before its allocation, and an
/// allocation of the same address before the free that made it possible. An event seen in one pass
/// over the rings has all that led to it in the same or the next pass; what does not fit together
/// after that was lost.
class LiveTable {
 public:
  /// 2^22 blocks take 256 MiB at most; allocations beyond are counted and not followed.
  static constexpr std::size_t kMaxBlocks = std::size_t{1} << 22;

  explicit LiveTable(std::size_t max_blocks = kMaxBlocks);

  /// `block.address` must not be 0.
  LiveChange allocate(const LiveBlock& block);
  LiveChange free(std::uint64_t address, std::uint64_t time_ms, ThreadNumber thread);
  /// The live block at `address`, null where there is none. Good until the next change.
  LiveBlock* find(std::uint64_t address) noexcept;
  /// Takes a live block out, whatever its events were.
  void forget(std::uint64_t address) noexcept;
  /// A pass over all rings is done.
  void end_pass();

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const LiveBlock& slot : slots_)
      if (slot.balance_ > 0) visit(slot);
  }
  std::uint64_t unmatched() const noexcept { return unmatched_; }
  std::uint64_t untracked() const noexcept { return untracked_; }
  std::size_t size_bytes() const noexcept { return slots_.capacity() * sizeof(LiveBlock); }

 private:
  struct Unsettled {
    std::uint64_t address;
    std::uint64_t pass;
  };
  std::size_t home(std::uint64_t address) const noexcept;
  std::size_t slot_of(std::uint64_t address) const noexcept;  // its slot, or the free one for it
  LiveBlock* insert(const LiveBlock& block, std::int16_t balance);
  void add_to_balance(LiveBlock& slot, int change);
  void erase(std::size_t slot) noexcept;
  void grow();

  std::size_t max_blocks_;
  std::vector<LiveBlock> slots_;  // open addressing; a power of two, at most 3/4 full
  std::size_t used_ = 0;
  std::vector<Unsettled> unsettled_;
  std::uint64_t pass_ = 0;
  std::uint64_t unmatched_ = 0;
  std::uint64_t untracked_ = 0;
};

}  // namespace bitnet
