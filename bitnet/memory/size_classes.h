// SPDX-License-Identifier: MIT OR Apache-2.0
// Sizes of small blocks: steps of 16 bytes to 128, then 8 steps for each doubling, so that a block
// is at most 12.5 % larger than what was asked for (from 128 bytes up).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "bitnet/base/checked.h"
#include "bitnet/memory/units.h"

namespace bitnet::memory {

inline constexpr int kNumClasses = 112;
/// Blocks of this size and more are large.
inline constexpr std::size_t kLargeBytes = 1u << 20;

constexpr std::uint32_t computed_class(std::size_t bytes) noexcept {
  if (bytes <= 128) return static_cast<std::uint32_t>((bytes - 1) >> 4);
  const std::size_t last = bytes - 1;
  const int doubling = 63 - std::countl_zero(std::uint64_t{last});  // >= 7
  const auto step = static_cast<std::uint32_t>(last >> (doubling - 3)) & 7;
  return 8 + (static_cast<std::uint32_t>(doubling - 7) << 3) + step;
}

// By steps of 16 bytes: a load is shorter than the computation.
inline constexpr std::size_t kTableBytes = 1024;
inline constexpr std::array<std::uint8_t, kTableBytes / 16 + 1> kClassTable = [] {
  std::array<std::uint8_t, kTableBytes / 16 + 1> table{};
  for (std::size_t i = 1; i < table.size(); ++i)
    table[i] = static_cast<std::uint8_t>(computed_class(i * 16));
  return table;
}();

/// The class of the smallest blocks of at least `bytes`, 1 to kLargeBytes.
constexpr std::uint32_t class_of_some(std::size_t bytes) noexcept {
  if (bytes <= 128) return static_cast<std::uint32_t>((bytes - 1) >> 4);
  return bytes <= kTableBytes ? kClassTable[(bytes + 15) / 16] : computed_class(bytes);
}

/// As class_of_some(), also of 0.
constexpr std::uint32_t class_of(std::size_t bytes) noexcept {
  return class_of_some(bytes + (bytes == 0));
}

constexpr std::uint32_t class_bytes(std::uint32_t size_class) noexcept {
  if (size_class < 8) return (size_class + 1) * 16;
  const std::uint32_t doubling = ((size_class - 8) >> 3) + 7;
  const std::uint32_t step = (size_class - 8) & 7;
  return (1u << doubling) + ((step + 1) << (doubling - 3));
}
static_assert(class_of(kLargeBytes) == kNumClasses - 1);
static_assert(class_bytes(kNumClasses - 1) == kLargeBytes);

/// A block of class_of(aligned_size(n, a)) is aligned to `a` in a span that is: every class above n
/// is a multiple of `a` once n is. `alignment` is a power of two up to kUnitBytes.
constexpr std::size_t aligned_size(std::size_t bytes, std::size_t alignment) noexcept {
  return align_up(bytes, alignment);
}

struct SizeClass {
  std::uint32_t block_bytes;
  std::uint32_t span_units;  // a span holds blocks of one class
  std::uint32_t span_blocks;
  std::uint32_t reciprocal;  // block = offset * reciprocal >> kReciprocalShift
  std::uint32_t magazine;    // blocks that a thread may keep at hand, even
};

inline constexpr int kReciprocalShift = 35;

constexpr SizeClass make_size_class(std::uint32_t index) noexcept {
  SizeClass c{};
  c.block_bytes = class_bytes(index);
  // The rest behind the last block is at most 1/8 of a span; spans of big blocks hold a few, so
  // that they become empty and can serve another class.
  const std::uint32_t target = c.block_bytes <= 2048 ? 1u : c.block_bytes <= 32768 ? 4u : 0u;
  if (target) {
    c.span_units = target;
  } else {
    std::uint32_t best_waste = ~0u;
    for (std::uint32_t blocks = 3; blocks <= 6; ++blocks) {
      const std::uint32_t units =
          static_cast<std::uint32_t>((blocks * c.block_bytes + kUnitBytes - 1) / kUnitBytes);
      const std::uint32_t waste =
          (units * static_cast<std::uint32_t>(kUnitBytes) - blocks * c.block_bytes) / blocks;
      if (waste < best_waste) {
        best_waste = waste;
        c.span_units = units;
      }
    }
  }
  const std::uint64_t span_bytes = std::uint64_t{c.span_units} * kUnitBytes;
  c.span_blocks = static_cast<std::uint32_t>(span_bytes / c.block_bytes);
  c.reciprocal = static_cast<std::uint32_t>(
      ((std::uint64_t{1} << kReciprocalShift) + c.block_bytes - 1) / c.block_bytes);
  c.magazine = c.block_bytes <= 1024     ? 64u
               : c.block_bytes <= 4096   ? 32u
               : c.block_bytes <= 16384  ? 16u
               : c.block_bytes <= 65536  ? 8u
               : c.block_bytes <= 262144 ? 4u
                                         : 2u;
  return c;
}

inline constexpr std::array<SizeClass, kNumClasses> kSizeClasses = [] {
  std::array<SizeClass, kNumClasses> classes{};
  for (std::uint32_t i = 0; i < kNumClasses; ++i) classes[i] = make_size_class(i);
  return classes;
}();

}  // namespace bitnet::memory
