// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/rows.h"

#include <algorithm>

#include "bitnet/ops/check.h"
#include "bitnet/ops/elementwise.h"
#include "bitnet/ops/floats.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/work.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {
namespace {

// x as f32 rows without gaps; rows() and cols() of the tensor are those of the op.
Tensor as_rows(const OpContext& context, const char* op, const char* operand, const TensorView& x) {
  const Tensor floats = as_floats(context, op, operand, x);
  if (x.rank() == 0 || x.dim(-1) == 0)
    fail(Errc::invalid_argument, std::string(op) + ": " + operand + " is " + to_string(x.shape()) +
                                     ", expected rows of at least one element");
  return floats;
}

Tensor as_type(const OpContext& context, const Tensor& x, DType type) {
  return type == DType::f32 ? x : cast(context, x, type);
}

// A parameter of the columns, or null for rank 0.
const float* parameter(const char* op, const char* operand, const TensorView& p,
                       std::int64_t cols) {
  if (p.rank() == 0) return nullptr;
  check_type(op, operand, p.dtype(), DType::f32);
  check_shape(op, operand, p.shape(), Shape{cols});
  check_rows(op, operand, p);
  check_on_cpu(op, operand, p);
  return reinterpret_cast<const float*>(p.data());
}

RowArgs args_of(RowOp op, const Tensor& x, Tensor& out) {
  RowArgs args{};
  args.op = op;
  args.x = x.as<float>();
  args.x_stride = args.out_stride = x.cols();
  args.out = out.as_mutable<float>();
  args.rows = x.rows();
  args.cols = x.cols();
  return args;
}

void run(const OpContext& context, const char* op, const RowArgs& args) {
  run_in_span("rows", supported(context, context.table->rows, op), args, *context.threads);
}

// softmax and log_softmax
Tensor plain(const OpContext& context, const char* name, RowOp op, const TensorView& x) {
  const Tensor rows = as_rows(context, name, "x", x);
  Tensor out = Tensor::allocate(DType::f32, x.shape());
  run(context, name, args_of(op, rows, out));
  return as_type(context, out, x.dtype());
}

Tensor plain_backward(const OpContext& context, const char* name, RowOp op, const TensorView& y,
                      const TensorView& gradient) {
  check_shape(name, "gradient", gradient.shape(), y.shape());
  const Tensor rows = as_rows(context, name, "y", y);
  const Tensor g = as_rows(context, name, "gradient", gradient);
  Tensor out = Tensor::allocate(DType::f32, y.shape());
  RowArgs args = args_of(op, rows, out);
  args.g = g.as<float>();
  args.g_stride = g.cols();
  run(context, name, args);
  return as_type(context, out, y.dtype());
}

// Rows summed to one: [..., cols] to [cols].
Tensor sum_of_rows(const OpContext& context, const Tensor& t) {
  return reduce(context, ReduceOp::sum, t.view().reshape({t.rows(), t.cols()}), {0});
}

NormGradients norm_backward(const OpContext& context, const char* name, RowOp op,
                            const TensorView& x, const TensorView& weight, float eps,
                            const TensorView& gradient) {
  check_shape(name, "gradient", gradient.shape(), x.shape());
  const Tensor rows = as_rows(context, name, "x", x);
  const Tensor g = as_rows(context, name, "gradient", gradient);
  Tensor out = Tensor::allocate(DType::f32, x.shape());
  Tensor extra = Tensor::allocate(DType::f32, x.shape());
  RowArgs args = args_of(op, rows, out);
  args.g = g.as<float>();
  args.g_stride = g.cols();
  args.weight = parameter(name, "weight", weight, rows.cols());
  args.extra = extra.as_mutable<float>();
  args.eps = eps;
  run(context, name, args);
  NormGradients gradients{as_type(context, out, x.dtype()), sum_of_rows(context, extra), {}};
  if (op == RowOp::layer_norm_grad) gradients.bias = sum_of_rows(context, g);
  return gradients;
}

struct Targets {
  Tensor values;
  std::int64_t counted = 0;
};

Targets targets_of(const char* op, const TensorView& targets, const Tensor& logits) {
  check_type(op, "targets", targets.dtype(), DType::i64);
  check_on_cpu(op, "targets", targets);
  const auto dims = logits.shape().dims();
  check_shape(op, "targets", targets.shape(), Shape(dims.first(dims.size() - 1)));
  Targets t{as_contiguous(targets)};
  for (std::int64_t i = 0; i < logits.rows(); ++i) {
    const std::int64_t target = t.values.as<std::int64_t>()[i];
    if (target == kIgnoredTarget) continue;
    if (target < 0 || target >= logits.cols())
      fail(Errc::invalid_argument, std::string(op) + ": target " + std::to_string(target) +
                                       " of row " + std::to_string(i) + " is outside the " +
                                       std::to_string(logits.cols()) + " classes");
    ++t.counted;
  }
  return t;
}

}  // namespace

Tensor softmax(const OpContext& context, const TensorView& x) {
  return plain(context, "softmax", RowOp::softmax, x);
}

Tensor log_softmax(const OpContext& context, const TensorView& x) {
  return plain(context, "log_softmax", RowOp::log_softmax, x);
}

Tensor softmax_backward(const OpContext& context, const TensorView& y, const TensorView& gradient) {
  return plain_backward(context, "softmax_backward", RowOp::softmax_grad, y, gradient);
}

Tensor log_softmax_backward(const OpContext& context, const TensorView& y,
                            const TensorView& gradient) {
  return plain_backward(context, "log_softmax_backward", RowOp::log_softmax_grad, y, gradient);
}

Tensor rms_norm(const OpContext& context, const TensorView& x, const TensorView& weight,
                float eps) {
  const Tensor rows = as_rows(context, "rms_norm", "x", x);
  const std::int64_t cols = rows.cols();
  Tensor gain;
  if (parameter("rms_norm", "weight", weight, cols)) {
    gain = as_contiguous(weight);
  } else {
    gain = Tensor::allocate(DType::f32, {cols});
    std::fill_n(gain.as_mutable<float>(), cols, 1.0f);
  }
  Tensor out = Tensor::allocate(DType::f32, x.shape());
  bitnet::rms_norm(context, {rows.as<float>(), rows.rows(), cols, cols}, gain, eps,
                   {out.as_mutable<float>(), rows.rows(), cols, cols});
  return as_type(context, out, x.dtype());
}

Tensor layer_norm(const OpContext& context, const TensorView& x, const TensorView& weight,
                  const TensorView& bias, float eps) {
  const Tensor rows = as_rows(context, "layer_norm", "x", x);
  Tensor out = Tensor::allocate(DType::f32, x.shape());
  RowArgs args = args_of(RowOp::layer_norm, rows, out);
  args.weight = parameter("layer_norm", "weight", weight, rows.cols());
  args.bias = parameter("layer_norm", "bias", bias, rows.cols());
  args.eps = eps;
  run(context, "layer_norm", args);
  return as_type(context, out, x.dtype());
}

NormGradients rms_norm_backward(const OpContext& context, const TensorView& x,
                                const TensorView& weight, float eps, const TensorView& gradient) {
  return norm_backward(context, "rms_norm_backward", RowOp::rms_norm_grad, x, weight, eps,
                       gradient);
}

NormGradients layer_norm_backward(const OpContext& context, const TensorView& x,
                                  const TensorView& weight, float eps, const TensorView& gradient) {
  return norm_backward(context, "layer_norm_backward", RowOp::layer_norm_grad, x, weight, eps,
                       gradient);
}

CrossEntropy cross_entropy(const OpContext& context, const TensorView& logits,
                           const TensorView& targets) {
  const Tensor rows = as_rows(context, "cross_entropy", "logits", logits);
  const Targets t = targets_of("cross_entropy", targets, rows);
  CrossEntropy result{0.0f, Tensor::allocate(DType::f32, targets.shape()), t.counted};
  RowArgs args = args_of(RowOp::cross_entropy, rows, result.losses);
  args.out_stride = 1;
  args.targets = t.values.as<std::int64_t>();
  run(context, "cross_entropy", args);
  const Tensor total = reduce(context, ReduceOp::sum, result.losses);
  result.loss = *total.as<float>() / static_cast<float>(t.counted);
  return result;
}

Tensor cross_entropy_backward(const OpContext& context, const TensorView& logits,
                              const TensorView& targets, float gradient) {
  const Tensor rows = as_rows(context, "cross_entropy_backward", "logits", logits);
  const Targets t = targets_of("cross_entropy_backward", targets, rows);
  Tensor out = Tensor::allocate(DType::f32, logits.shape());
  RowArgs args = args_of(RowOp::cross_entropy_grad, rows, out);
  const float share = gradient / static_cast<float>(t.counted);
  args.g = &share;
  args.targets = t.values.as<std::int64_t>();
  run(context, "cross_entropy_backward", args);
  return as_type(context, out, logits.dtype());
}

}  // namespace bitnet::ops
