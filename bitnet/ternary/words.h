// SPDX-License-Identifier: MIT OR Apache-2.0
// Eight packed bytes at a time: the word operations that the conversions share.
#pragma once

#include <cstdint>
#include <cstring>

namespace bitnet::words {

inline constexpr std::uint64_t kLowBits = 0x5555555555555555u;   // bit 0 of every 2-bit field
inline constexpr std::uint64_t kLowField = 0x0303030303030303u;  // bits 1:0 of every byte

inline std::uint64_t load(const std::uint8_t* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

inline void store(std::uint8_t* to, std::uint64_t word) noexcept {
  std::memcpy(to, &word, sizeof word);
}

/// Bit 0 of each 2-bit field whose code is 3.
inline std::uint64_t code3(std::uint64_t word) noexcept { return word & (word >> 1) & kLowBits; }

/// Reverses the order of the four 2-bit fields of each byte.
inline std::uint64_t reverse_fields(std::uint64_t word) noexcept {
  return ((word & kLowField) << 6) | ((word & (kLowField << 2)) << 2) |
         ((word >> 2) & (kLowField << 2)) | ((word >> 6) & kLowField);
}

/// Field `shift` / 2 of each byte of a, b, c, d into bits 7:6, 5:4, 3:2, 1:0.
inline std::uint64_t gather_field(std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                  std::uint64_t d, unsigned shift) noexcept {
  return (((a >> shift) & kLowField) << 6) | (((b >> shift) & kLowField) << 4) |
         (((c >> shift) & kLowField) << 2) | ((d >> shift) & kLowField);
}

}  // namespace bitnet::words
