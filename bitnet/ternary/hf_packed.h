// SPDX-License-Identifier: MIT OR Apache-2.0
// Hugging Face's packed ternary tensors: U8 [rows / 4, columns], four row groups in a byte.
//
// With R = rows / 4, bits 2i+1:2i of byte (r, c) are the code (weight + 1) of weight (r + i * R,
// c). Source: transformers/integrations/bitnet.py, pack_weights() and unpack_weights().
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ternary/formats.h"

namespace bitnet::hf_packed {

/// Byte rows [begin, end) of [0, rows / 4) to block128; byte row r fills rows r, r + R, r + 2R, r +
/// 3R of `out`. rows must be a multiple of 4.
std::optional<TernaryFault> to_block128(const std::uint8_t* packed, std::int64_t rows,
                                        std::int64_t columns, std::int64_t begin, std::int64_t end,
                                        std::uint8_t* out) noexcept;

/// The whole matrix to packed[rows / 4][columns].
void from_block128(const std::uint8_t* block128, std::int64_t rows, std::int64_t columns,
                   std::uint8_t* packed) noexcept;

}  // namespace bitnet::hf_packed
