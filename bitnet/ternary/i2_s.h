// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF's I2_S: rows * columns / 4 bytes of 2-bit codes (weight + 1), then one f32 scale and 28
// bytes that mean nothing.
//
// Three byte layouts go under the one type id, and nothing in a file tells which (bitnet.cpp,
// ggml-bitnet-mad.cpp):
//   x86           flat row-major stream, blocks of 128 weights as in block128.h; a block may
//   straddle rows arm           the same with blocks of 64: byte p (0..15) holds weights p, 16+p,
//   32+p, 48+p (builds before 2026) act_parallel  byte (g, c) holds column c of rows 4g .. 4g+3 in
//   bits 7:6 .. 1:0 (builds without ACT_PARALLEL)
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ternary/formats.h"

namespace bitnet::i2_s {

inline constexpr std::int64_t kTrailerBytes = 32;  // f32 scale, 28 bytes of padding

/// Rows [begin, end) of the x86 or arm stream; `group` = 32 (x86) or 16 (arm) bytes a block.
/// rows * columns must be a multiple of 4 * group.
std::optional<TernaryFault> stream_to_block128(const std::uint8_t* stream, std::int64_t group,
                                               std::int64_t columns, std::int64_t begin,
                                               std::int64_t end, std::uint8_t* out) noexcept;

/// The whole matrix to stream[rows * columns / 4].
void stream_from_block128(const std::uint8_t* block128, std::int64_t group, std::int64_t rows,
                          std::int64_t columns, std::uint8_t* stream) noexcept;

/// Groups of four rows [begin, end); rows must be a multiple of 4.
std::optional<TernaryFault> act_parallel_to_block128(const std::uint8_t* packed,
                                                     std::int64_t columns, std::int64_t begin,
                                                     std::int64_t end, std::uint8_t* out) noexcept;

void act_parallel_from_block128(const std::uint8_t* block128, std::int64_t rows,
                                std::int64_t columns, std::uint8_t* packed) noexcept;

}  // namespace bitnet::i2_s
