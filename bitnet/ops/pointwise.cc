// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/pointwise.h"

#include <array>
#include <cmath>
#include <limits>

#include "bitnet/ops/check.h"
#include "bitnet/ops/work.h"

namespace bitnet::ops {
namespace {

constexpr std::array kUnaryNames{"neg",  "abs",  "square", "reciprocal", "sqrt",       "rsqrt",
                                 "exp",  "log",  "relu",   "relu2",      "leaky_relu", "sigmoid",
                                 "silu", "tanh", "gelu",   "gelu_tanh",  "clamp"};
constexpr std::array kBinaryNames{"add",
                                  "sub",
                                  "mul",
                                  "div",
                                  "min",
                                  "max",
                                  "pow",
                                  "abs_grad",
                                  "square_grad",
                                  "reciprocal_grad",
                                  "sqrt_grad",
                                  "rsqrt_grad",
                                  "exp_grad",
                                  "log_grad",
                                  "relu_grad",
                                  "relu2_grad",
                                  "leaky_relu_grad",
                                  "sigmoid_grad",
                                  "silu_grad",
                                  "tanh_grad",
                                  "gelu_grad",
                                  "gelu_tanh_grad",
                                  "clamp_grad"};
static_assert(kUnaryNames.size() == std::size_t(UnaryOp::clamp) + 1);
static_assert(kBinaryNames.size() == std::size_t(BinaryOp::clamp_grad) + 1);

const char* name(UnaryOp op) { return kUnaryNames[static_cast<std::size_t>(op)]; }
const char* name(BinaryOp op) { return kBinaryNames[static_cast<std::size_t>(op)]; }

enum class Domain { halves, reals, numbers };  // f32, f16, bf16; f64 too; integers too

void check_defined(const char* op, const char* operand, DType type, Domain domain) {
  using enum DType;
  if (domain == Domain::numbers)
    check_type_in(op, operand, type, {f32, f16, bf16, f64, i8, u8, u16, i32, i64});
  else if (domain == Domain::reals)
    check_type_in(op, operand, type, {f32, f16, bf16, f64});
  else
    check_type_in(op, operand, type, {f32, f16, bf16});
}

Domain domain_of(UnaryOp op) {
  if (op == UnaryOp::neg || op == UnaryOp::abs || op == UnaryOp::square || op == UnaryOp::relu ||
      op == UnaryOp::relu2 || op == UnaryOp::clamp)
    return Domain::numbers;
  return op >= UnaryOp::reciprocal && op <= UnaryOp::log ? Domain::reals : Domain::halves;
}

void check_inputs(const char* op, const TensorView& a, const TensorView& b) {
  check_type(op, "b", b.dtype(), a.dtype());
  check_on_cpu(op, "a", a);
  check_on_cpu(op, "b", b);
}

}  // namespace

void unary(const OpContext& context, UnaryOp op, const TensorView& x, const MutableTensorView& out,
           float p0, float p1) {
  const auto run = supported(context, context.table->unary, name(op));
  check_defined(name(op), "x", x.dtype(), domain_of(op));
  check_on_cpu(name(op), "x", x);
  check_output(name(op), out);
  check_type(name(op), "out", out.dtype(), x.dtype());
  const TensorView wide = x.broadcast_to(out.shape());
  run_in_span("unary", run, {op, p0, p1, out.shape(), array(wide), array(out)}, *context.threads);
}

void binary(const OpContext& context, BinaryOp op, const TensorView& a, const TensorView& b,
            const MutableTensorView& out, float p0, float p1) {
  const auto run = supported(context, context.table->binary, name(op));
  check_defined(name(op), "a", a.dtype(), op <= BinaryOp::max ? Domain::numbers : Domain::halves);
  check_inputs(name(op), a, b);
  check_output(name(op), out);
  check_type(name(op), "out", out.dtype(), a.dtype());
  check_shape(name(op), "out", out.shape(), broadcast_shapes(name(op), a.shape(), b.shape()));
  const TensorView wide_a = a.broadcast_to(out.shape()), wide_b = b.broadcast_to(out.shape());
  run_in_span("binary", run, {op, p0, p1, out.shape(), array(wide_a), array(wide_b), array(out)},
              *context.threads);
}

void compare(const OpContext& context, CompareOp op, const TensorView& a, const TensorView& b,
             const MutableTensorView& out) {
  const auto run = supported(context, context.table->compare, "compare");
  check_defined("compare", "a", a.dtype(), Domain::numbers);
  check_inputs("compare", a, b);
  check_output("compare", out);
  check_type("compare", "out", out.dtype(), DType::u8);
  check_shape("compare", "out", out.shape(), broadcast_shapes("compare", a.shape(), b.shape()));
  const TensorView wide_a = a.broadcast_to(out.shape()), wide_b = b.broadcast_to(out.shape());
  run_in_span("compare", run, {op, out.shape(), array(wide_a), array(wide_b), array(out)},
              *context.threads);
}

void where(const OpContext& context, const TensorView& condition, const TensorView& a,
           const TensorView& b, const MutableTensorView& out) {
  const auto run = supported(context, context.table->where, "where");
  check_defined("where", "a", a.dtype(), Domain::numbers);
  check_type("where", "condition", condition.dtype(), DType::u8);
  check_on_cpu("where", "condition", condition);
  check_inputs("where", a, b);
  check_output("where", out);
  check_type("where", "out", out.dtype(), a.dtype());
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  check_shape("where", "out", out.shape(), shape);
  const TensorView c = condition.broadcast_to(shape), wide_a = a.broadcast_to(shape),
                   wide_b = b.broadcast_to(shape);
  run_in_span("where", run, {shape, array(c), array(wide_a), array(wide_b), array(out)},
              *context.threads);
}

void cast(const OpContext& context, const TensorView& x, const MutableTensorView& out) {
  const auto run = supported(context, context.table->cast, "cast");
  if (info(out.dtype()).kind == NumberKind::scaled_block)
    fail(Errc::unsupported, "cast: out is " + std::string(info(out.dtype()).name) +
                                ", expected a type without scales: quantize_row() chooses these");
  check_on_cpu("cast", "x", x);
  check_output("cast", out);
  check_shape("cast", "x", x.shape(), out.shape());
  run_in_span("cast", run, {out.shape(), array(x), array(out)}, *context.threads);
}

Tensor unary(const OpContext& context, UnaryOp op, const TensorView& x, float p0, float p1) {
  Tensor out = Tensor::allocate(x.dtype(), x.shape());
  unary(context, op, x, out.mutable_view(), p0, p1);
  return out;
}

Tensor binary(const OpContext& context, BinaryOp op, const TensorView& a, const TensorView& b,
              float p0, float p1) {
  Tensor out = Tensor::allocate(a.dtype(), broadcast_shapes(name(op), a.shape(), b.shape()));
  binary(context, op, a, b, out.mutable_view(), p0, p1);
  return out;
}

Tensor binary(const OpContext& context, BinaryOp op, const TensorView& a, double b) {
  return binary(context, op, a, scalar(context, a.dtype(), b));
}

Tensor compare(const OpContext& context, CompareOp op, const TensorView& a, const TensorView& b) {
  Tensor out = Tensor::allocate(DType::u8, broadcast_shapes("compare", a.shape(), b.shape()));
  compare(context, op, a, b, out.mutable_view());
  return out;
}

Tensor where(const OpContext& context, const TensorView& condition, const TensorView& a,
             const TensorView& b) {
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  Tensor out = Tensor::allocate(a.dtype(), shape);
  where(context, condition, a, b, out.mutable_view());
  return out;
}

Tensor cast(const OpContext& context, const TensorView& x, DType to) {
  Tensor out = Tensor::allocate(to, x.shape());
  cast(context, x, out.mutable_view());
  return out;
}

Tensor scalar(const OpContext& context, DType dtype, double value) {
  Tensor wide = Tensor::allocate(DType::f64, {});
  *wide.as_mutable<double>() = value;
  return dtype == DType::f64 ? wide : cast(context, wide, dtype);
}

Tensor unary_backward(const OpContext& context, UnaryOp op, const TensorView& x,
                      const TensorView& gradient, float p0, float p1) {
  check_shape("unary_backward", "gradient", gradient.shape(), x.shape());
  check_defined("unary_backward", "x", x.dtype(), Domain::halves);
  check_type("unary_backward", "gradient", gradient.dtype(), x.dtype());
  if (op == UnaryOp::neg) return unary(context, UnaryOp::neg, gradient);
  // In the order of UnaryOp.
  constexpr std::array kGradients{
      BinaryOp::abs_grad,        BinaryOp::square_grad,  BinaryOp::reciprocal_grad,
      BinaryOp::sqrt_grad,       BinaryOp::rsqrt_grad,   BinaryOp::exp_grad,
      BinaryOp::log_grad,        BinaryOp::relu_grad,    BinaryOp::relu2_grad,
      BinaryOp::leaky_relu_grad, BinaryOp::sigmoid_grad, BinaryOp::silu_grad,
      BinaryOp::tanh_grad,       BinaryOp::gelu_grad,    BinaryOp::gelu_tanh_grad,
      BinaryOp::clamp_grad};
  static_assert(kGradients.size() + 1 == kUnaryNames.size());
  return binary(context, kGradients[static_cast<std::size_t>(op) - 1], x, gradient, p0, p1);
}

}  // namespace bitnet::ops
