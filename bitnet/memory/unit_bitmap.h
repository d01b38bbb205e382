// SPDX-License-Identifier: MIT OR Apache-2.0
// A set of numbers below 2^20 that finds its smallest or largest member in three steps.
#pragma once

#include <bit>
#include <cstdint>

#include "bitnet/memory/metadata.h"

namespace bitnet::memory {

/// One bit for each number, one for each word of these, one for each word of those.
class UnitBitmap {
 public:
  static constexpr std::uint32_t kMaxSize = 1u << 20;

  /// For numbers below `size` <= kMaxSize. False when out of memory.
  bool create(Metadata& metadata, std::uint32_t size) noexcept {
    const std::size_t words0 = size / 64 + 1, words1 = words0 / 64 + 1;
    bits_ = metadata.take_words(words0 + words1);
    summary_ = bits_ + words0;
    return bits_ != nullptr;
  }

  bool empty() const noexcept { return (top_[0] | top_[1] | top_[2] | top_[3]) == 0; }
  bool has(std::uint32_t i) const noexcept { return bits_[i >> 6] >> (i & 63) & 1; }

  void add(std::uint32_t i) noexcept {
    bits_[i >> 6] |= bit(i);
    summary_[i >> 12] |= bit(i >> 6);
    top_[i >> 18] |= bit(i >> 12);
  }

  void remove(std::uint32_t i) noexcept {
    if ((bits_[i >> 6] &= ~bit(i)) != 0) return;
    if ((summary_[i >> 12] &= ~bit(i >> 6)) != 0) return;
    top_[i >> 18] &= ~bit(i >> 12);
  }

  /// Of a set that is not empty.
  std::uint32_t smallest() const noexcept {
    std::uint32_t i = 0;
    while (top_[i] == 0) ++i;
    i = i << 6 | low(top_[i]);
    i = i << 6 | low(summary_[i]);
    return i << 6 | low(bits_[i]);
  }
  std::uint32_t largest() const noexcept {
    std::uint32_t i = 3;
    while (top_[i] == 0) --i;
    i = i << 6 | high(top_[i]);
    i = i << 6 | high(summary_[i]);
    return i << 6 | high(bits_[i]);
  }

 private:
  static std::uint64_t bit(std::uint32_t i) noexcept { return std::uint64_t{1} << (i & 63); }
  static std::uint32_t low(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>(std::countr_zero(word));
  }
  static std::uint32_t high(std::uint64_t word) noexcept {
    return 63 - static_cast<std::uint32_t>(std::countl_zero(word));
  }

  std::uint64_t* bits_ = nullptr;
  std::uint64_t* summary_ = nullptr;
  std::uint64_t top_[4] = {};
};

}  // namespace bitnet::memory
