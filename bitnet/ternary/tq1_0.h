// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF's TQ1_0: blocks of 256 weights, 52 bytes of base-3 digits (weight + 1) and an f16 scale d;
// value = weight * d.
//
// Bytes 0..31 hold weights m + 32n (n = 0..4), bytes 32..47 weights 160 + m + 16n, bytes 48..51
// weights 240 + j + 4n (n = 0..3, then a zero digit); n = 0 is the most significant of the five
// digits. A number q = 0..242 is stored as ceil(q * 256 / 243), so 13 byte values mean nothing.
// Source: llama.cpp, quantize_row_tq1_0_ref().
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ternary/formats.h"

namespace bitnet::tq1_0 {

inline constexpr std::int64_t kWeights = 256;
inline constexpr std::int64_t kBytes = 54;

/// Rows [begin, end); columns must be a multiple of 256. group_scales: see formats.h.
std::optional<TernaryFault> to_block128(const std::uint8_t* blocks, std::int64_t columns,
                                        std::int64_t begin, std::int64_t end, std::uint8_t* out,
                                        float* group_scales) noexcept;

std::optional<TernaryFault> from_block128(const std::uint8_t* block128, std::int64_t rows,
                                          std::int64_t columns, const float* group_scales,
                                          std::uint8_t* blocks) noexcept;

}  // namespace bitnet::tq1_0
