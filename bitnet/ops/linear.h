// SPDX-License-Identifier: MIT OR Apache-2.0
// Matrix products of a layer: ternary weights x int8 activations, dense weights x float
// activations, embedding rows.
#pragma once

#include <span>

#include "bitnet/ops/context.h"
#include "bitnet/ops/quantize.h"
#include "bitnet/ternary/ternary_matrix.h"

namespace bitnet {

/// Memory a ternary_linear() call may use: one float per token and, for row and group scales, one
/// result.
class LinearScratch {
 public:
  LinearScratch(std::int64_t max_tokens, std::int64_t max_rows, HybridMemoryPool& pool);
  float* token_scale() { return token_scale_.as_mutable<float>(); }
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

/// out[t][r] = dot16(w[r], x[t]); w: f32, f16, bf16, q8_0, q4_0, q6_k [rows][cols].
void dense_linear(const OpContext& context, const Tensor& w, MatrixView<const float> x,
                  MatrixView<float> out);

/// w (f32, f16, bf16; columns a multiple of 32) into `out` (q8_0, the same shape); squares
/// [rows][3] as SketchArgs says. Throws Error{invalid_argument}.
void sketch(const OpContext& context, const Tensor& w, Tensor& out, std::span<float> squares);

/// out[t] = float(table[ids[t]]). Throws Error{invalid_argument} for an id outside the table.
void embed(const OpContext& context, const Tensor& table, std::span<const std::int32_t> ids,
           MatrixView<float> out);

}  // namespace bitnet
