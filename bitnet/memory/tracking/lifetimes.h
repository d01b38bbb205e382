// SPDX-License-Identifier: MIT OR Apache-2.0
// How long blocks live, by tag and by size.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitnet {

/// Bucket 0 counts lives below 1 ms, bucket i those of [2^(i-1), 2^i) ms, the last all longer ones.
/// Times come from the tracker's clock, which ticks about every 10 ms.
struct LifetimeHistogram {
  static constexpr std::size_t kBuckets = 36;  // 2^34 ms are 198 days
  std::array<std::uint64_t, kBuckets> counts{};
  std::uint64_t total = 0;
  std::uint64_t sum_ms = 0;

  void add(std::uint64_t life_ms) noexcept {
    const auto bucket = static_cast<std::size_t>(std::bit_width(life_ms));
    ++counts[bucket < kBuckets ? bucket : kBuckets - 1];
    ++total;
    sum_ms += life_ms;
  }
  /// The upper edge in ms of the bucket in which the share `p` of all lives is reached; 0: none.
  std::uint64_t quantile_ms(double p) const noexcept;
};

struct Lifetimes {
  static constexpr std::size_t kSizeClasses = 49;  // by bit width of the bytes
  LifetimeHistogram all;
  std::vector<LifetimeHistogram> by_tag;  // by index
  std::array<LifetimeHistogram, kSizeClasses> by_size{};

  void add(std::uint16_t tag, std::uint64_t bytes, std::uint64_t life_ms);
  const LifetimeHistogram* of_tag(std::uint16_t tag) const noexcept {
    return tag < by_tag.size() ? &by_tag[tag] : nullptr;
  }
};

}  // namespace bitnet
