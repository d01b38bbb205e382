// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/rows.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "bitnet/ops/check.h"
#include "bitnet/ops/floats.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/work.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {
namespace {

// Rows of x where they lie, or, where the axes in front do not step evenly, in a copy of its type.
struct Rows {
  Tensor copied;
  RowsIn in;
  std::int64_t count, cols;
};

// The one step in bytes, whole elements, from each row to the next, if there is one.
std::optional<std::int64_t> row_step(const TensorView& x) {
  const std::int64_t element = info(x.dtype()).block_bytes;
  if (x.dim(-1) > 1 && x.stride(-1) != element) return {};
  std::int64_t step = x.dim(-1) * element, rows = 1;
  for (int axis = x.rank() - 1; axis-- > 0;) {
    if (x.dim(axis) == 1) continue;
    if (rows == 1)
      step = x.stride(axis);
    else if (x.stride(axis) != step * rows)
      return {};
    rows *= x.dim(axis);
  }
  if (step % element != 0) return {};
  return step;
}

Rows rows_of(const char* op, const char* operand, const TensorView& x) {
  check_type_in(op, operand, x.dtype(), {DType::f32, DType::f16, DType::bf16});
  check_on_cpu(op, operand, x);
  if (x.rank() == 0 || x.dim(-1) == 0)
    fail(Errc::invalid_argument, std::string(op) + ": " + operand + " is " + to_string(x.shape()) +
                                     ", expected rows of at least one element");
  const std::int64_t cols = x.dim(-1);
  Rows rows{{}, {x.data(), x.dtype(), cols}, x.num_elements() / cols, cols};
  if (const auto step = row_step(x)) {
    rows.in.stride = *step / info(x.dtype()).block_bytes;
  } else {
    rows.copied = contiguous(x);
    rows.in.data = rows.copied.data();
  }
  return rows;
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

RowOpArgs args_of(RowOp op, const Rows& x, Tensor& out) {
  RowOpArgs args{};
  args.op = op;
  args.x = x.in;
  args.out = {out.mutable_data(), out.dtype(), x.cols};
  args.rows = x.count;
  args.cols = x.cols;
  return args;
}

void run(const OpContext& context, const char* op, const RowOpArgs& args) {
  run_in_span("rows", supported(context, context.table->rows, op), args, *context.threads);
}

// softmax and log_softmax
Tensor plain(const OpContext& context, const char* name, RowOp op, const TensorView& x) {
  const Rows rows = rows_of(name, "x", x);
  Tensor out = Tensor::allocate(x.dtype(), x.shape());
  run(context, name, args_of(op, rows, out));
  return out;
}

Tensor plain_backward(const OpContext& context, const char* name, RowOp op, const TensorView& y,
                      const TensorView& gradient) {
  check_shape(name, "gradient", gradient.shape(), y.shape());
  const Rows rows = rows_of(name, "y", y), g = rows_of(name, "gradient", gradient);
  Tensor out = Tensor::allocate(y.dtype(), y.shape());
  RowOpArgs args = args_of(op, rows, out);
  args.g = g.in;
  run(context, name, args);
  return out;
}

// Rows summed to one in f32: [..., cols] to [cols].
Tensor sum_of_rows(const OpContext& context, const TensorView& t) {
  std::vector<int> axes;
  for (int i = 0; i + 1 < t.rank(); ++i) axes.push_back(i);
  const Tensor floats = as_floats(context, "norm_backward", "gradient", t);
  if (axes.empty()) return contiguous(floats);
  Tensor sum = Tensor::allocate(DType::f32, {t.dim(-1)});
  reduce(context, ReduceOp::sum, floats, axes, sum.mutable_view());
  return sum;
}

NormGradients norm_backward(const OpContext& context, const char* name, RowOp op,
                            const TensorView& x, const TensorView& weight, float eps,
                            const TensorView& gradient) {
  check_shape(name, "gradient", gradient.shape(), x.shape());
  const Rows rows = rows_of(name, "x", x), g = rows_of(name, "gradient", gradient);
  Tensor out = Tensor::allocate(x.dtype(), x.shape());
  Tensor extra = Tensor::allocate(DType::f32, x.shape());
  RowOpArgs args = args_of(op, rows, out);
  args.g = g.in;
  args.weight = parameter(name, "weight", weight, rows.cols);
  args.extra = extra.as_mutable<float>();
  args.eps = eps;
  run(context, name, args);
  NormGradients gradients{std::move(out), sum_of_rows(context, extra), {}};
  if (op == RowOp::layer_norm_grad) gradients.bias = sum_of_rows(context, gradient);
  return gradients;
}

struct Targets {
  Tensor values;
  std::int64_t counted = 0;
};

Targets targets_of(const char* op, const TensorView& targets, const TensorView& logits) {
  check_type(op, "targets", targets.dtype(), DType::i64);
  check_on_cpu(op, "targets", targets);
  const auto dims = logits.shape().dims();
  check_shape(op, "targets", targets.shape(), Shape(dims.first(dims.size() - 1)));
  Targets t{as_contiguous(targets)};
  for (std::int64_t i = 0; i < targets.num_elements(); ++i) {
    const std::int64_t target = t.values.as<std::int64_t>()[i];
    if (target == kIgnoredTarget) continue;
    if (target < 0 || target >= logits.dim(-1))
      fail(Errc::invalid_argument, std::string(op) + ": target " + std::to_string(target) +
                                       " of row " + std::to_string(i) + " is outside the " +
                                       std::to_string(logits.dim(-1)) + " classes");
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
  const Rows rows = rows_of("rms_norm", "x", x);
  Tensor out = Tensor::allocate(x.dtype(), x.shape()), ones;
  RowOpArgs args = args_of(RowOp::rms_norm, rows, out);
  args.weight = parameter("rms_norm", "weight", weight, rows.cols);
  if (args.weight == nullptr) {
    ones = Tensor::allocate(DType::f32, {rows.cols});
    std::fill_n(ones.as_mutable<float>(), rows.cols, 1.0f);
    args.weight = ones.as<float>();
  }
  args.eps = eps;
  run(context, "rms_norm", args);
  return out;
}

Tensor layer_norm(const OpContext& context, const TensorView& x, const TensorView& weight,
                  const TensorView& bias, float eps) {
  const Rows rows = rows_of("layer_norm", "x", x);
  Tensor out = Tensor::allocate(x.dtype(), x.shape());
  RowOpArgs args = args_of(RowOp::layer_norm, rows, out);
  args.weight = parameter("layer_norm", "weight", weight, rows.cols);
  args.bias = parameter("layer_norm", "bias", bias, rows.cols);
  args.eps = eps;
  run(context, "layer_norm", args);
  return out;
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
  const Rows rows = rows_of("cross_entropy", "logits", logits);
  const Targets t = targets_of("cross_entropy", targets, logits);
  CrossEntropy result{0.0f, Tensor::allocate(DType::f32, targets.shape()), t.counted};
  RowOpArgs args = args_of(RowOp::cross_entropy, rows, result.losses);
  args.out.stride = 1;
  args.targets = t.values.as<std::int64_t>();
  run(context, "cross_entropy", args);
  const Tensor total = reduce(context, ReduceOp::sum, result.losses);
  result.loss = *total.as<float>() / static_cast<float>(t.counted);
  return result;
}

Tensor cross_entropy_backward(const OpContext& context, const TensorView& logits,
                              const TensorView& targets, float gradient) {
  const Rows rows = rows_of("cross_entropy_backward", "logits", logits);
  const Targets t = targets_of("cross_entropy_backward", targets, logits);
  Tensor out = Tensor::allocate(logits.dtype(), logits.shape());
  RowOpArgs args = args_of(RowOp::cross_entropy_grad, rows, out);
  const float share = gradient / static_cast<float>(t.counted);
  args.g = {&share, DType::f32, 0};
  args.targets = t.values.as<std::int64_t>();
  run(context, "cross_entropy_backward", args);
  return out;
}

}  // namespace bitnet::ops
