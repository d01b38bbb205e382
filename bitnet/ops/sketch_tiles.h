// SPDX-License-Identifier: MIT OR Apache-2.0
// The layout of a sketch of dense weights: 6 bits a weight, of which every product reads 5, and a
// half for each 64 columns of a row.
//
// A code c, 0 to 63, stands for d * (c - 31.5); its upper 5 bits alone, u = c / 2, for
// d * (2 u - 31), the middle of the two codes that have them.
//
// Upper bits: rows come in strips of 16 (the last filled up with rows of zeros), columns in pairs
// of blocks of 64 (the last filled up with zeros). A strip is [pairs] tiles of 1344 bytes:
//   64 bytes  halves d[2 blocks][16 rows]
//   then for each of the two blocks 640 bytes, with byte 4 * r + i of each vector of 64 bytes
//   belonging to row r:
//     8 vectors j  bits 3:0 of u of column 8 j + i in bits 3:0, bits 4:1 of u of column 8 j + 4 + i
//                  in bits 7:4
//     2 vectors j  the fifth bit of u of column 32 j + 4 k + i in bit fifth_bit(k), k = 0..7
// A vector is what one product of four bytes a row needs (vpdpbusd, sdot). The fifth bit is bit 4
// of even groups of four columns, bit 0 of odd ones: as u and as 8 u they are one mask away from
// the vectors as stored, with one shift for four groups.
//
// Last bits, read for few rows: row after row [2 * pairs] times 8 bytes, bit k % 8 of byte k / 8
// that of column k of the block, then [2 * pairs] halves d.
#pragma once

#include <cstdint>

namespace bitnet::sketch_tiles {

inline constexpr std::int64_t kRows = 16;
inline constexpr std::int64_t kBlockColumns = 64;
inline constexpr std::int64_t kColumnsMultiple = 32;  // of rows that can be sketched
inline constexpr std::int64_t kBlockBytes = 640;
inline constexpr std::int64_t kPairColumns = 2 * kBlockColumns;
inline constexpr std::int64_t kTileBytes = 64 + 2 * kBlockBytes;
inline constexpr std::int64_t kLastBitsBytes = kBlockColumns / 8;

/// In which bit the fifth bit of group k of four columns is: 4, 3, 6, 5, 2, 1, 0, 7. No array: it
/// would be a weak symbol of kernel objects.
constexpr int fifth_bit(std::int64_t k) noexcept { return 0x70125634 >> (4 * k) & 7; }

constexpr std::int64_t strips(std::int64_t rows) noexcept { return (rows + kRows - 1) / kRows; }
constexpr std::int64_t pairs(std::int64_t cols) noexcept {
  return (cols + kPairColumns - 1) / kPairColumns;
}
constexpr std::int64_t strip_bytes(std::int64_t cols) noexcept { return pairs(cols) * kTileBytes; }
/// Bytes of the upper bits.
constexpr std::int64_t bytes(std::int64_t rows, std::int64_t cols) noexcept {
  return strips(rows) * strip_bytes(cols);
}
/// Bytes of a row's last bits and its halves.
constexpr std::int64_t last_row_bytes(std::int64_t cols) noexcept {
  return 2 * pairs(cols) * (kLastBitsBytes + 2);
}

/// u of one weight; `block` points at the block's 640 bytes.
constexpr int upper_at(const std::uint8_t* block, std::int64_t row, std::int64_t col) noexcept {
  const std::int64_t byte = 4 * row + col % 4;
  const int four = block[64 * (col / 8) + byte];
  const int fifth = block[512 + 64 * (col / 32) + byte] >> fifth_bit(col / 4 % 8) & 1;
  return col / 4 % 2 ? (four >> 4) << 1 | fifth : (four & 15) | fifth << 4;
}

}  // namespace bitnet::sketch_tiles
