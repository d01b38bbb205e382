// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense weights times float activations, and rows of the embedding (formulas: ops/args.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Weights begin at any byte. scratch: dense_linear_scratch_floats() floats.
using DenseLinearFn = void(const DenseLinearArgs&) noexcept;
DenseLinearFn dense_linear_reference, dense_linear_avx2, dense_linear_avx512, dense_linear_neon;

using EmbedFn = void(const EmbedArgs&) noexcept;
EmbedFn embed_reference, embed_avx2, embed_avx512, embed_neon;

/// Rows of block-quantized weights that are decoded to float at a time.
constexpr std::int64_t kDecodedRows = 24;

/// Scratch of one worker. Kernels of f32, f16 and bf16 weights need none of it.
constexpr std::int64_t dense_linear_scratch_floats(std::int64_t cols) noexcept {
  return kDecodedRows * ((cols + 15) / 16 * 16);
}

std::span<const Kernel<DenseLinearFn>> dense_linear_kernels() noexcept;
std::span<const Kernel<EmbedFn>> embed_kernels() noexcept;

}  // namespace bitnet::cpu
