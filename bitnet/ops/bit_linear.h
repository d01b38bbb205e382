// SPDX-License-Identifier: MIT OR Apache-2.0
// The linear layer of BitNet b1.58: ternary weights, int8 activations, gradients past both
// roundings.
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/ops/linear.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

/// A layer's weights, packed for the forward pass.
struct BitLinear {
  TernaryMatrix weight;  // [rows][cols]
  Tensor bias;           // f32 [rows]; not defined(): none

  /// Weights quantized by the mean of their absolute values (Quantizer::absmean_ternary).
  /// master: f32, f16 or bf16 [rows][cols]. Throws as quantize().
  static BitLinear from_master(const OpContext& context, const TensorView& master,
                               ScaleGranularity granularity = ScaleGranularity::tensor,
                               std::int64_t group_cols = 0);
};

/// y [..., rows] = dequantized(w) x dequantized(quantized x) + bias: x [..., cols] (f32, f16, bf16)
/// goes in as int8 with a scale for each row (ops/args.h, QuantizeArgs), products are exact
/// integers. Throws Error{invalid_argument} where shapes do not fit.
Tensor bit_linear(const OpContext& context, const BitLinear& layer, const TensorView& x);

struct BitLinearGradients {
  Tensor x;       // f32, of x's shape
  Tensor weight;  // f32 [rows][cols], for the master weights
  Tensor bias;    // f32 [rows]; not defined() where the layer has none
};
/// Straight through both roundings: x gets gradient x dequantized(w), the master weights get
/// gradient^T x dequantized(quantized x). Source of the rule: transformers/integrations/bitnet.py.
BitLinearGradients bit_linear_backward(const OpContext& context, const BitLinear& layer,
                                       const TensorView& x, const TensorView& gradient);

}  // namespace bitnet::ops
