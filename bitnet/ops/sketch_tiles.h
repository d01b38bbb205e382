// SPDX-License-Identifier: MIT OR Apache-2.0
// The layout of a sketch of dense weights: 6 bits a weight and a half for each 32 columns of a row.
//
// Rows come in strips of 16 (the last filled up with rows of zeros), columns in pairs of blocks of
// 32 (the last filled up with zeros). A strip is [pairs] tiles of 832 bytes:
//   64 bytes  halves d[2 blocks][16 rows]
//   then for each of the two blocks 384 bytes, with c = q + 32 the code of a weight and byte
//   4 * r + i of each vector of 64 bytes belonging to row r:
//     4 vectors j  bits 3:0 of c of column 8 j + i in bits 3:0, of column 8 j + 4 + i in bits 7:4
//     2 vectors j  bits 5:4 of c of column 16 j + 4 k + i in bits 2 k + 1 : 2 k, k = 0..3
// A vector is what one product of four bytes a row needs (vpdpbusd, sdot).
#pragma once

#include <cstdint>

namespace bitnet::sketch_tiles {

inline constexpr std::int64_t kRows = 16;
inline constexpr std::int64_t kBlockColumns = 32;
inline constexpr std::int64_t kBlockBytes = 384;
inline constexpr std::int64_t kPairColumns = 2 * kBlockColumns;
inline constexpr std::int64_t kTileBytes = 64 + 2 * kBlockBytes;

constexpr std::int64_t strips(std::int64_t rows) noexcept { return (rows + kRows - 1) / kRows; }
constexpr std::int64_t pairs(std::int64_t cols) noexcept {
  return (cols + kPairColumns - 1) / kPairColumns;
}
constexpr std::int64_t strip_bytes(std::int64_t cols) noexcept { return pairs(cols) * kTileBytes; }
constexpr std::int64_t bytes(std::int64_t rows, std::int64_t cols) noexcept {
  return strips(rows) * strip_bytes(cols);
}

/// q of one weight, -32 to 31; `block` points at the block's 384 bytes.
constexpr int value_at(const std::uint8_t* block, std::int64_t row, std::int64_t col) noexcept {
  const std::int64_t byte = 4 * row + col % 4;
  const int low = block[64 * (col / 8) + byte] >> (col / 4 % 2 ? 4 : 0) & 15;
  const int high = block[256 + 64 * (col / 16) + byte] >> (col / 4 % 4 * 2) & 3;
  return (low | high << 4) - 32;
}

}  // namespace bitnet::sketch_tiles
