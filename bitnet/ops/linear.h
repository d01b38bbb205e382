// SPDX-License-Identifier: MIT OR Apache-2.0
// Matrix products of a layer: ternary weights x int8 activations, dense weights x float
// activations, embedding rows.
#pragma once

#include <memory>
#include <span>

#include "bitnet/ops/context.h"
#include "bitnet/ops/quantize.h"
#include "bitnet/ternary/ternary_matrix.h"

namespace bitnet {

/// Memory a ternary_linear() call may use: a float per token and matrix and, for row and group
/// scales, one result.
class LinearScratch {
 public:
  LinearScratch(std::int64_t max_tokens, std::int64_t max_rows, HybridMemoryPool& pool);
  /// Of matrix i of a call, i < TernaryLookupArgs::kMaxParts.
  float* token_scale(std::int64_t i = 0) {
    return token_scale_.as_mutable<float>() + i * max_tokens_;
  }
  MatrixView<float> partial(std::int64_t tokens, std::int64_t rows);

 private:
  Tensor token_scale_;
  Tensor partial_;  // allocated at first need: few models have row or group scales
  HybridMemoryPool* pool_;
  std::int64_t max_tokens_, max_rows_;
};

/// out[t][r] = sum_k w[r][k] * (q[t][k] / s[t]): with c = scale / s[t] rounded once,
///   tensor scale: float(sum) * c;   row scale: (float(sum) * (1 / s[t])) * scales[r];
///   group scale:  fma chain over groups g of (float(sum_g) * (1 / s[t])) * scales[r][g].
/// Sums are exact. Throws Error{invalid_argument} on a shape mismatch or more than 2^22 columns.
void ternary_linear(const OpContext& context, const TernaryMatrix& w, const QuantizedRows& x,
                    MatrixView<float> out, LinearScratch& scratch);

/// The same for matrices of the same input, at most TernaryLookupArgs::kMaxParts: out[i] of *w[i].
/// Tables of packed matrices are made once for all.
void ternary_linears(const OpContext& context, std::span<const TernaryMatrix* const> w,
                     const QuantizedRows& x, std::span<const MatrixView<float>> out,
                     LinearScratch& scratch);

/// Moves the weights to the layout of the lookup kernels (ternary/lookup_tiles.h), four fifths of
/// the bytes: `codes` is empty then. Matrices with group scales, and all where the backend has no
/// such kernels, stay as they are. Throws Error{out_of_memory}; the matrix is as before then.
void pack_for_lookup(const OpContext& context, TernaryMatrix& w,
                     HybridMemoryPool& pool = default_pool());
/// Whether it would move this matrix.
bool can_pack_for_lookup(const OpContext& context, const TernaryMatrix& w) noexcept;
/// The same into memory of the caller: lookup_tiles::bytes(rows, cols), 64-byte aligned, which
/// `keeper` keeps alive. Throws Error{invalid_argument} where the matrix cannot be moved.
void pack_for_lookup(const OpContext& context, TernaryMatrix& w, std::byte* memory,
                     std::shared_ptr<const void> keeper);

/// The inverse, into memory of the caller: rows * block128::row_bytes(cols), 32-byte aligned, which
/// `keeper` keeps alive; `tiles` is empty then. Throws Error{invalid_argument} where the weights do
/// not lie in tiles.
void unpack_from_lookup(const OpContext& context, TernaryMatrix& w, std::byte* memory,
                        std::shared_ptr<const void> keeper);

/// out[t][r] = dot16(w[r], x[t]); w: f32, f16, bf16, q8_0, q4_0, q6_k [rows][cols].
void dense_linear(const OpContext& context, const Tensor& w, MatrixView<const float> x,
                  MatrixView<float> out);

/// out[t] = float(table[ids[t]]). Throws Error{invalid_argument} for an id outside the table.
void embed(const OpContext& context, const Tensor& table, std::span<const std::int32_t> ids,
           MatrixView<float> out);

}  // namespace bitnet
