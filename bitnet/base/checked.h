// SPDX-License-Identifier: MIT OR Apache-2.0
// Sizes from outside are multiplied and added with these: std::nullopt instead of a wrap.
#pragma once

#include <cstdint>
#include <optional>

namespace bitnet {

inline std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

/// Rounds up to a multiple of `step`, a power of two; nullopt where that does not fit.
inline std::optional<std::uint64_t> checked_round_up(std::uint64_t value,
                                                     std::uint64_t step) noexcept {
  const auto padded = checked_add(value, step - 1);
  if (!padded) return std::nullopt;
  return *padded & ~(step - 1);
}

/// As checked_round_up() for what was checked before.
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t power_of_two) noexcept {
  return (value + power_of_two - 1) & ~(power_of_two - 1);
}

/// ceil(a / b) and rounding up for sizes that were checked before; a >= 0, b > 0.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) noexcept {
  return ceil_div(a, b) * b;
}

}  // namespace bitnet
