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

// The same by the parts of an entry, where tables have 16 places: w0 to w2 of l = 0..26; of a block
// (bits 0 and 1 of an index, bit 3 is any) w3 in bits 7:6 and w4 in bits 1:0, and what must be
// added to slots 27 to 31 to make them l.
struct Parts {
  alignas(16) std::uint8_t low[32], high[16], special[16];
};

constexpr Parts parts() noexcept {
  Parts p{};
  for (int l = 0; l < 27; ++l)
    p.low[l] = static_cast<std::uint8_t>(l % 3 | l / 3 % 3 << 2 | l / 9 << 4);
  for (int i = 0; i < 16; ++i) {
    const int block = i & 3, high = block + 1 + 4;  // 3 w4 + w3, of codes
    p.high[i] = static_cast<std::uint8_t>(high % 3 << 6 | high / 3);
    p.special[i] = static_cast<std::uint8_t>(5 * block - 14);
  }
  return p;
}
constexpr Parts kParts = parts();

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
