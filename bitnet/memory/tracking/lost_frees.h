// SPDX-License-Identifier: MIT OR Apache-2.0
// Which blocks may have been freed without an event.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace bitnet {

/// A free whose ring is full leaves a bit of its address's hash here, so that no block is taken for
/// live that is not. Blocks that share a bit with it are forgotten too. note() from any thread, the
/// rest from the one that drains.
class LostFrees {
 public:
  /// Of all threads; 128 KiB. A thousand lost frees between two passes touch 0.1 % of the others.
  static constexpr std::uint32_t kBits = 1u << 20;

  LostFrees() : noted_(std::make_unique<std::atomic<std::uint64_t>[]>(kWords)) {}

  void note(std::uint64_t address) noexcept {
    const std::uint32_t bit = bit_of(address);
    noted_[bit / 64].fetch_or(std::uint64_t{1} << (bit % 64), std::memory_order_release);
    any_.store(true, std::memory_order_release);
  }

  /// After a pass over the rings. What was noted holds for this pass and the next: by then the
  /// allocation that came before such a free has been drained. Returns whether anything holds.
  bool end_pass();
  /// Whether the block may have been freed.
  bool may_hold(std::uint64_t address) const noexcept {
    const std::uint32_t bit = bit_of(address);
    return ((now_[bit / 64] | before_[bit / 64]) >> (bit % 64) & 1) != 0;
  }

 private:
  static constexpr std::size_t kWords = kBits / 64;
  static std::uint32_t bit_of(std::uint64_t address) noexcept {
    return static_cast<std::uint32_t>((address * 0x9E3779B97F4A7C15u) >> 44);
  }
  static_assert(kBits == 1u << (64 - 44));

  std::unique_ptr<std::atomic<std::uint64_t>[]> noted_;
  std::atomic<bool> any_{false};
  std::vector<std::uint64_t> now_, before_;  // empty until something is lost
  int passes_ = 0;                           // for which something holds
};

}  // namespace bitnet
