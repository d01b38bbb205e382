// SPDX-License-Identifier: MIT OR Apache-2.0
// Constants of lookups: the weights of a table's slots, those that an entry stands for, entries of
// sums.
#pragma once

#include <cstdint>

#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet::cpu {
namespace {

struct Digits {
  alignas(64) std::int16_t w[3][32];
};

// Weights w0, w1, w2 of slot l = 0..26; slots 27 to 31 are filled from slots 13 to 26.
constexpr Digits digits() noexcept {
  Digits d{};
  for (int l = 0; l < 27; ++l) {
    d.w[0][l] = static_cast<std::int16_t>(l % 3 - 1);
    d.w[1][l] = static_cast<std::int16_t>(l / 3 % 3 - 1);
    d.w[2][l] = static_cast<std::int16_t>(l / 9 - 1);
  }
  return d;
}
constexpr Digits kDigitsOfSlots = digits();

struct Unpacked {
  alignas(64) std::uint8_t four[lookup_tiles::kEntries], last[lookup_tiles::kEntries];
};

// w + 1 of the digits of the sum that has an entry: w0 to w3 in two bits each, and w4.
constexpr Unpacked unpacked() noexcept {
  Unpacked u{};
  for (int m = 0; m <= 121; ++m) {
    int rest = m + 121, four = 0;
    for (int k = 0; k < 4; ++k, rest /= 3) four |= rest % 3 << (2 * k);
    u.four[lookup_tiles::entry(m)] = static_cast<std::uint8_t>(four);
    u.last[lookup_tiles::entry(m)] = static_cast<std::uint8_t>(rest);
  }
  return u;
}
constexpr Unpacked kUnpacked = unpacked();

struct Entries {
  alignas(64) std::uint8_t of[lookup_tiles::kEntries];
};

// Entries of the sums 0 to 121.
constexpr Entries entries() noexcept {
  Entries e{};
  for (int m = 0; m <= 121; ++m) e.of[m] = lookup_tiles::entry(m);
  return e;
}
constexpr Entries kEntryOf = entries();

}  // namespace
}  // namespace bitnet::cpu
