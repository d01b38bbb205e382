// SPDX-License-Identifier: MIT OR Apache-2.0
// Softmax, norms and cross entropy over the last axis, and their gradients (ops/row_ops.h: formulas
// and the order in which they add). f32, f16 and bf16, computed in f32 a few rows at a time; any
// strides. Where rows do not lie at even distances, or elements apart, x is copied first.
// Throw Error{invalid_argument} where types or shapes do not fit, for rows of no elements and for
// targets outside the row; Error{unsupported} for other types.
#pragma once

#include <optional>

#include "bitnet/ops/context.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

Tensor softmax(const OpContext& context, const TensorView& x);
Tensor log_softmax(const OpContext& context, const TensorView& x);
/// y: what the forward function gave; gradient: of y.
Tensor softmax_backward(const OpContext& context, const TensorView& y, const TensorView& gradient);
Tensor log_softmax_backward(const OpContext& context, const TensorView& y,
                            const TensorView& gradient);

/// weight and bias: f32 [cols], or rank 0 for none.
Tensor rms_norm(const OpContext& context, const TensorView& x, const TensorView& weight, float eps);
Tensor layer_norm(const OpContext& context, const TensorView& x, const TensorView& weight,
                  const TensorView& bias, float eps);

struct NormGradients {
  Tensor x;       // of x's shape and type
  Tensor weight;  // f32 [cols]
  Tensor bias;    // f32 [cols]; of rms_norm not defined()
};
NormGradients rms_norm_backward(const OpContext& context, const TensorView& x,
                                const TensorView& weight, float eps, const TensorView& gradient);
NormGradients layer_norm_backward(const OpContext& context, const TensorView& x,
                                  const TensorView& weight, float eps, const TensorView& gradient);

/// Mean over the rows whose target counts of -log softmax(logits)[target].
/// logits [..., classes]; targets i64 [...], each in [0, classes) or kIgnoredTarget.
struct CrossEntropy {
  float loss;            // NaN where no target counts
  Tensor losses;         // f32 [...]: of each row
  std::int64_t counted;  // rows
};
CrossEntropy cross_entropy(const OpContext& context, const TensorView& logits,
                           const TensorView& targets);
/// Gradient of the logits for that of the loss.
Tensor cross_entropy_backward(const OpContext& context, const TensorView& logits,
                              const TensorView& targets, float gradient = 1.0f);

}  // namespace bitnet::ops
