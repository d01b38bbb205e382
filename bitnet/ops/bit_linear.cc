// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/bit_linear.h"

#include <algorithm>

#include "bitnet/ops/check.h"
#include "bitnet/ops/floats.h"
#include "bitnet/ops/matmul.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {
namespace {

// x as f32 [tokens][cols].
Tensor rows_of(const OpContext& context, const char* op, const BitLinear& layer,
               const TensorView& x) {
  const Tensor floats = as_floats(context, op, "x", x);
  if (x.rank() == 0 || x.dim(-1) != layer.weight.cols())
    fail(Errc::invalid_argument, std::string(op) + ": x is " + to_string(x.shape()) +
                                     ", expected " + std::to_string(layer.weight.cols()) +
                                     " columns");
  return floats;
}

Shape with_columns(const Shape& shape, std::int64_t cols) {
  return shape.with(shape.rank() - 1, cols);
}

// What the integers of the forward pass stand for. Codes are the same as there (127 / max, halves
// to even); their scale max / 127 differs from 1 / (127 / max) by roundings alone.
Tensor seen_activations(const OpContext& context, const Tensor& x) {
  return dequantize(context, quantize(context, Quantizer::absmax_i8, x));
}

Tensor dense_weight(const OpContext& context, const TernaryMatrix& w) {
  Tensor codes = w.codes;
  Quantization q{w.granularity, w.group_cols, w.scales, {}};
  if (w.granularity == ScaleGranularity::tensor) q.scales = {w.scale};
  codes.set_quantization(std::move(q));
  return dequantize(context, codes);
}

}  // namespace

BitLinear BitLinear::from_master(const OpContext& context, const TensorView& master,
                                 ScaleGranularity granularity, std::int64_t group_cols) {
  check_type_in("BitLinear", "master", master.dtype(), {DType::f32, DType::f16, DType::bf16});
  check_rank("BitLinear", "master", master, 2);
  const Tensor codes =
      quantize(context, Quantizer::absmean_ternary, master, {granularity, group_cols});
  BitLinear layer;
  layer.weight.codes = codes;
  layer.weight.granularity = granularity;
  layer.weight.group_cols = group_cols;
  if (granularity == ScaleGranularity::tensor)
    layer.weight.scale = codes.quantization()->scales[0];
  else
    layer.weight.scales = codes.quantization()->scales;
  return layer;
}

Tensor bit_linear(const OpContext& context, const BitLinear& layer, const TensorView& x) {
  const Tensor rows = rows_of(context, "bit_linear", layer, x);
  const std::int64_t tokens = rows.rows(), cols = rows.cols(), out_cols = layer.weight.rows();
  Tensor out = Tensor::allocate(DType::f32, with_columns(x.shape(), out_cols));
  if (layer.bias.defined()) {
    check_type("bit_linear", "bias", layer.bias.dtype(), DType::f32);
    check_shape("bit_linear", "bias", layer.bias.shape(), Shape{out_cols});
  }
  if (tokens == 0) return out;
  QuantizedRows q(tokens, cols, default_pool());
  quantize(context, {rows.as<float>(), tokens, cols, cols}, q);
  LinearScratch scratch(tokens, out_cols, default_pool());
  ternary_linear(context, layer.weight, q, {out.as_mutable<float>(), tokens, out_cols, out_cols},
                 scratch);
  if (layer.bias.defined()) binary(context, BinaryOp::add, out, layer.bias, out.mutable_view());
  return out;
}

BitLinearGradients bit_linear_backward(const OpContext& context, const BitLinear& layer,
                                       const TensorView& x, const TensorView& gradient) {
  const char* op = "bit_linear_backward";
  const Tensor rows = rows_of(context, op, layer, x);
  const std::int64_t tokens = rows.rows(), cols = rows.cols(), out_cols = layer.weight.rows();
  check_shape(op, "gradient", gradient.shape(), with_columns(x.shape(), out_cols));
  check_type(op, "gradient", gradient.dtype(), DType::f32);
  check_on_cpu(op, "gradient", gradient);
  const Tensor g = as_contiguous(gradient);
  const TensorView flat_g = g.view().reshape({tokens, out_cols});
  BitLinearGradients result;
  result.x = Tensor::allocate(DType::f32, x.shape());
  const Tensor weight = dense_weight(context, layer.weight);
  matmul(context, flat_g, weight, result.x.mutable_view().reshape({tokens, cols}));
  const Tensor seen = seen_activations(context, rows);
  result.weight = matmul(context, flat_g.transpose(0, 1), seen.view().reshape({tokens, cols}));
  if (layer.bias.defined()) result.bias = reduce(context, ReduceOp::sum, flat_g, {0});
  return result;
}

}  // namespace bitnet::ops
