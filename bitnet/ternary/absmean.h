// SPDX-License-Identifier: MIT OR Apache-2.0
// The quantizer of BitNet b1.58: a matrix of real master weights to codes and one scale.
//
// gamma = max(mean |W|, 1e-5); weight = clip(rint(W * (1 / gamma)), -1, 1), halves to even; value =
// weight * gamma. Source: transformers/integrations/bitnet.py, WeightQuant. The mean is taken in
// double precision: each row in 16 interleaved partial sums folded by halves, the rows in order, so
// the result does not depend on threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace bitnet::absmean {

/// Sum of |w| of one row, of f32 or of bf16 bits.
double row_sum(std::span<const float> row) noexcept;
double row_sum(std::span<const std::uint16_t> bf16_row) noexcept;

/// gamma from the sum over `count` weights; nullopt where the sum is NaN or infinite (as it is once
/// a weight is).
std::optional<float> scale(double sum, std::int64_t count) noexcept;

/// One row to block128, row_bytes(row.size()) bytes; `gamma` from scale().
void quantize_row(std::span<const float> row, float gamma, std::uint8_t* block128) noexcept;
void quantize_row(std::span<const std::uint16_t> bf16_row, float gamma,
                  std::uint8_t* block128) noexcept;

}  // namespace bitnet::absmean
