// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary matrices at 1.6 bits a weight in the order in which kernels that look sums up read them.
//
// Columns are taken by the place at which an activation row stores them (pair order,
// ternary/activations.h), place 0 up to pair_order_bytes(cols), then weights 0 up to 5 * groups. A
// byte holds the weights of a row at places g, G + g, 2G + g, 3G + g, 4G + g (G = groups, g below
// G), w0 to w4:
//   m = w0 + 3 w1 + 9 w2 + 27 w3 + 81 w4, in -121..121;  bit 7: m < 0;  bits 6:0: entry(|m|)
// A kernel makes a table of the 122 sums that five activations can give, and looks them up for all
// rows (T-MAC, arXiv 2407.00088, and bitnet.cpp's TL2 look up in tables of 16 entries; 128 are two
// registers of AVX-512 VBMI, and symmetry halves 243 sums).
//
// Rows come in strips of 64 (the last is filled up with rows of zeros), strips in tiles of 8 (the
// last tile has fewer). A tile is [groups][strips of the tile][64 rows], so that one thread reads
// one stream. After the tiles: int32 negatives[64 * strips], how many bytes of a row have bit 7:
// ~v + 1 is -v, and a kernel adds the ones at the end.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bitnet/ternary/activations.h"
#include "bitnet/ternary/formats.h"

namespace bitnet::lookup_tiles {

inline constexpr std::int64_t kDigits = 5;
inline constexpr std::int64_t kStripRows = 64;
inline constexpr std::int64_t kTileStrips = 8;
inline constexpr std::int64_t kEntries = 128;
inline constexpr std::int64_t kAlignment = 64;  // of the first byte, in memory

constexpr std::int64_t groups(std::int64_t cols) noexcept {
  return (pair_order_bytes(cols) + kDigits - 1) / kDigits;
}
constexpr std::int64_t strips(std::int64_t rows) noexcept {
  return (rows + kStripRows - 1) / kStripRows;
}
/// Where negatives[] starts.
constexpr std::int64_t code_bytes(std::int64_t rows, std::int64_t cols) noexcept {
  return strips(rows) * kStripRows * groups(cols);
}
constexpr std::int64_t bytes(std::int64_t rows, std::int64_t cols) noexcept {
  return code_bytes(rows, cols) + strips(rows) * kStripRows * 4;
}

/// Where a strip's bytes start, and how far apart those of successive groups are.
struct StripPlace {
  std::int64_t offset, stride;
};
constexpr StripPlace place(std::int64_t strip, std::int64_t rows, std::int64_t groups) noexcept {
  const std::int64_t first = strip / kTileStrips * kTileStrips, left = strips(rows) - first;
  return {kStripRows * (first * groups + strip - first),
          kStripRows * (left < kTileStrips ? left : kTileStrips)};
}

/// Entry of a sum m = 0..121. With h = (m + 13) / 27, the part of w3 and w4, and l = (m + 13) % 27,
/// that of w0 to w2: h = 1..4 are four blocks of 27 slots, and the 14 sums of h = 0 fill slots 27
/// to 31 of the first three. Blocks lie two and two, slot by slot in turn: a table's block is one
/// vector of 16-bit sums plus one number, and two blocks become bytes by shifts.
constexpr std::uint8_t entry(int m) noexcept {
  const int h = (m + 13) / 27, l = (m + 13) % 27;
  const int block = h == 0 ? m / 5 : h - 1, slot = h == 0 ? 27 + m % 5 : l;
  return static_cast<std::uint8_t>(64 * (block / 2) + 2 * slot + block % 2);
}

/// The byte of a sum m = -121..121.
constexpr std::uint8_t byte_of(int m) noexcept {
  return static_cast<std::uint8_t>(m < 0 ? entry(-m) | 0x80 : entry(m));
}

/// w0..w4 of each byte; bytes that byte_of() never gives are zeros.
using Weights = std::array<std::int8_t, kDigits>;
const std::array<Weights, 256>& weights_of_bytes() noexcept;

/// A matrix of block128 rows (no code 3) to out[bytes(rows, cols)], strips [begin, end) of it: the
/// definition, which kernels do faster.
void pack(const std::uint8_t* block128_rows, std::int64_t row_bytes, std::int64_t rows,
          std::int64_t cols, std::int64_t begin, std::int64_t end, std::uint8_t* out) noexcept;

/// The column that an activation row stores at `at`: the inverse of pair_order_index(); cols and
/// more where nothing is stored.
constexpr std::int64_t column_at(std::int64_t at) noexcept {
  const std::int64_t plane = at / 64 % 4, half = at / 32 % 2;
  return at / kPairColumns * kPairColumns + 128 * half + 32 * plane + at % 32;
}

/// Whether strips [begin, end) of tiles[bytes(rows, cols)] are what pack() makes of some matrix: a
/// byte that stands for no five weights, a weight outside the matrix that is not 0 (`code`), or
/// negatives[] that were not counted so (`count`), of the first row that has one.
std::optional<TernaryFault> find_fault(const std::uint8_t* tiles, std::int64_t rows,
                                       std::int64_t cols, std::int64_t begin,
                                       std::int64_t end) noexcept;

/// The inverse of pack(): strips [begin, end) to rows of block128, the first row of the matrix at
/// `block128_rows`. Of tiles without a fault.
void unpack(const std::uint8_t* tiles, std::int64_t rows, std::int64_t cols, std::int64_t begin,
            std::int64_t end, std::uint8_t* block128_rows) noexcept;

}  // namespace bitnet::lookup_tiles
