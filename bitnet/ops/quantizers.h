// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantizers of matrices, their way back, dropout, and the gradients of embedding and rotary
// positions. Formulas: ops/quantizer_args.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "bitnet/ops/context.h"
#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

struct QuantizeOptions {
  ScaleGranularity granularity = ScaleGranularity::row;  // a row is a token of activations
  std::int64_t group_cols = 0;  // of group; ternary: a multiple of 256, sign: of 8
  std::uint64_t seed = 0;       // of stochastic_i8
};

/// x [..., cols] (f32, f16, bf16; any strides) as a tensor of codes of its shape - ternary2, i1 or
/// i8 - whose quantization() says what they stand for. Tensor granularity: one scale (and zero
/// point), from all elements; absmean adds the rows' sums in order. Throws Error{invalid_argument}
/// for x without columns, groups that do not fit, and, of absmean_ternary and sign, a NaN or an
/// infinity; Error{unsupported} for other types.
Tensor quantize(const OpContext& context, Quantizer kind, const TensorView& x,
                const QuantizeOptions& options = {});

/// (code - zero_point) * scale as f32, of a tensor with a quantization(). Throws
/// Error{invalid_argument} where it has none.
Tensor dequantize(const OpContext& context, const Tensor& codes);

struct DropoutOptions {
  double probability = 0.5;  // of an element to become 0, in [0, 1)
  std::uint64_t seed = 0;
  std::uint64_t first = 0;  // number of the stream that the first element takes
  bool relu = false;        // relu in the same pass
};
/// x (f32) with elements dropped and the others scaled by 1 / (1 - probability).
Tensor dropout(const OpContext& context, const TensorView& x, const DropoutOptions& options);
/// Gradient of x for the same options: nothing has to be kept from the forward pass but x.
Tensor dropout_backward(const OpContext& context, const TensorView& x, const TensorView& gradient,
                        const DropoutOptions& options);

/// Rows of a table [rows][cols] (f32, f16, bf16, q8_0, q4_0, q6_k) as f32 [..., cols]; ids i64
/// [...].
Tensor embedding(const OpContext& context, const Tensor& table, const TensorView& ids);
/// Gradient of the table, f32 [rows][cols]: rows of `gradient` added in order of the ids.
Tensor embedding_backward(const OpContext& context, const TensorView& ids,
                          const TensorView& gradient, std::int64_t rows);

/// Gradient of the input of rope() (ops/attention.h), in place: the rotation back.
void rope_backward(const OpContext& context, MatrixView<float> gradient, std::int64_t dim,
                   MatrixView<const float> cos, MatrixView<const float> sin);

}  // namespace bitnet::ops
