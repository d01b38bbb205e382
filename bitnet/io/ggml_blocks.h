// SPDX-License-Identifier: MIT OR Apache-2.0
// Rows of GGUF's block types to f32 and back: the scalar definition, in llama.cpp's order of float
// operations. Source: llama.cpp, ggml-quants.c (dequantize_row_*, quantize_row_*_ref).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bitnet/tensor/dtype.h"

namespace bitnet {

/// One row of f32, f16, bf16, q8_0, q4_0 or q6_k to out.size() floats; `row` holds row_bytes(type,
/// out.size()) bytes. Throws Error{invalid_argument} for another type, a length of no whole blocks
/// or a row of another size.
void dequantize_row(DType type, std::span<const std::byte> row, std::span<float> out);

/// The way back, rounding as the reference quantizers do (q6_k: scales from the largest value of
/// each 16, without the reference's search). Throws as above.
void quantize_row(DType type, std::span<const float> values, std::span<std::byte> row);

}  // namespace bitnet
