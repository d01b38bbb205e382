// SPDX-License-Identifier: MIT OR Apache-2.0
// Where in the program memory was asked for: stacks by number.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace bitnet {

/// Stacks taken in a second, at most: at some microseconds each, below 1 % of a core.
inline constexpr std::int32_t kSitesPerSecond = 2000;

/// Thread-safe. A stack has one number from 1 up for the life of the table.
class SiteTable {
 public:
  static constexpr std::size_t kMaxSites = 4095;
  static constexpr std::size_t kMaxFrames = 24;

  /// The number of a stack (innermost frame first); 0 where the table or memory is full.
  std::uint32_t intern(std::span<const std::uintptr_t> frames) noexcept;
  /// Empty for 0 and numbers not given.
  std::vector<std::uintptr_t> frames(std::uint32_t site) const;
  /// Names of the frames, innermost first.
  std::vector<std::string> describe(std::uint32_t site) const;
  std::uint32_t size() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::vector<std::uintptr_t>> stacks_;  // by number - 1
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_hash_;
};

}  // namespace bitnet
