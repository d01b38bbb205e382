// SPDX-License-Identifier: MIT OR Apache-2.0
// The library's own layout of ternary matrices (DType::ternary2), the one that every kernel reads.
//
// Row-major; a row is ceil(columns / 128) blocks of 32 bytes. Byte p (0..31) of a block holds the
// codes of its weights p, 32+p, 64+p, 96+p in bits 7:6, 5:4, 3:2, 1:0; code = weight + 1; weights
// that pad the last block have code 1. Where columns is a multiple of 128 this is GGUF's I2_S of
// x86 machines, byte for byte.
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ternary/formats.h"

namespace bitnet::block128 {

inline constexpr std::int64_t kWeights = 128;
inline constexpr std::int64_t kBytes = 32;

constexpr std::int64_t row_bytes(std::int64_t columns) noexcept {
  return (columns + kWeights - 1) / kWeights * kBytes;
}

/// weights[columns], each -1, 0 or +1, to row[row_bytes(columns)].
void pack_row(const std::int8_t* weights, std::int64_t columns, std::uint8_t* row) noexcept;

/// codes[columns], each 0..2, to row[row_bytes(columns)].
void pack_codes(const std::uint8_t* codes, std::int64_t columns, std::uint8_t* row) noexcept;

/// The inverse of pack_row().
void unpack_row(const std::uint8_t* row, std::int64_t columns, std::int8_t* weights) noexcept;

/// The inverse of pack_codes().
void unpack_codes(const std::uint8_t* row, std::int64_t columns, std::uint8_t* codes) noexcept;

/// Code of one weight of a row.
inline unsigned code_at(const std::uint8_t* row, std::int64_t column) noexcept {
  const std::int64_t within = column % kWeights;
  const unsigned byte = row[column / kWeights * kBytes + within % kBytes];
  return (byte >> (6 - 2 * (within / kBytes))) & 3u;
}

/// First code 3 of rows [begin, end), padding included; `data` is the start of the matrix.
std::optional<TernaryFault> find_bad_code(const std::uint8_t* data, std::int64_t begin,
                                          std::int64_t end, std::int64_t columns) noexcept;

/// Zero weights among rows * columns; the padding is not counted.
std::int64_t count_zeros(const std::uint8_t* data, std::int64_t rows,
                         std::int64_t columns) noexcept;

/// The definition of a ternary product: sum of weight * activations[column], exact.
std::int64_t dot_reference(const std::uint8_t* row, const std::int8_t* activations,
                           std::int64_t columns) noexcept;

}  // namespace bitnet::block128
