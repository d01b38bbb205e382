// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary matrices at 1.6 bits a weight (DType::ternary1_6).
//
// Row-major; a row is ceil(columns / 160) blocks of 32 bytes. Byte p (0..31) of a block holds the
// digits (weight + 1) of its weights p, 32+p, 64+p, 96+p, 128+p, most significant first, as the
// number n = sum digit_i 3^(4-i) < 243 in fixed point: byte = ceil(n * 256 / 243). Then digit i is
// the integer part of 3 * ((byte * 3^i) mod 256) / 256: products of bytes, no division (the
// encoding of llama.cpp's TQ1_0, ggml-quants.c). Weights that pad the last block are 0 (digit 1).
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ternary/formats.h"

namespace bitnet::block160 {

inline constexpr std::int64_t kWeights = 160;
inline constexpr std::int64_t kBytes = 32;

constexpr std::int64_t row_bytes(std::int64_t columns) noexcept {
  return (columns + kWeights - 1) / kWeights * kBytes;
}

/// weights[columns], each -1, 0 or +1, to row[row_bytes(columns)].
void pack_row(const std::int8_t* weights, std::int64_t columns, std::uint8_t* row) noexcept;

/// The inverse.
void unpack_row(const std::uint8_t* row, std::int64_t columns, std::int8_t* weights) noexcept;

/// First byte of rows [begin, end) that encodes no five digits (13 of the 256 do not); `data` is
/// the start of the matrix. The fault's column is that of the byte's first weight.
std::optional<TernaryFault> find_bad_byte(const std::uint8_t* data, std::int64_t begin,
                                          std::int64_t end, std::int64_t columns) noexcept;

}  // namespace bitnet::block160
