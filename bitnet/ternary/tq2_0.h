// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF's TQ2_0: blocks of 256 weights, 64 bytes of 2-bit codes (weight + 1) and an f16 scale d;
// value = weight * d.
//
// Bits 2n+1:2n of byte j + m (j = 0, 32; m < 32) are the code of weight 4j + 32n + m: block128.h
// with the fields of each byte in reverse order. Source: llama.cpp, ggml-common.h and
// dequantize_row_tq2_0().
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ternary/formats.h"

namespace bitnet::tq2_0 {

inline constexpr std::int64_t kWeights = 256;
inline constexpr std::int64_t kBytes = 66;

/// Rows [begin, end); columns must be a multiple of 256. group_scales: see formats.h.
std::optional<TernaryFault> to_block128(const std::uint8_t* blocks, std::int64_t columns,
                                        std::int64_t begin, std::int64_t end, std::uint8_t* out,
                                        float* group_scales) noexcept;

std::optional<TernaryFault> from_block128(const std::uint8_t* block128, std::int64_t rows,
                                          std::int64_t columns, const float* group_scales,
                                          std::uint8_t* blocks) noexcept;

}  // namespace bitnet::tq2_0
