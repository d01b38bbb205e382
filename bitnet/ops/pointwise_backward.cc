// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/check.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/reduce.h"

namespace bitnet::ops {
namespace {

// 1 where `a` is picked, 1/2 where both are equal, 0 elsewhere, times the gradient.
Tensor picked(const OpContext& c, CompareOp op, const TensorView& a, const TensorView& b,
              const TensorView& gradient) {
  const Tensor wins = cast(c, compare(c, op, a, b), gradient.dtype());
  const Tensor ties = cast(c, compare(c, CompareOp::eq, a, b), gradient.dtype());
  return mul(c, gradient, add(c, wins, binary(c, BinaryOp::mul, ties, 0.5)));
}

}  // namespace

BinaryGradients binary_backward(const OpContext& context, BinaryOp op, const TensorView& a,
                                const TensorView& b, const TensorView& gradient) {
  const OpContext& c = context;
  const TensorView& g = gradient;
  constexpr const char* kOp = "binary_backward";
  if (op == BinaryOp::pow)
    check_type_in(kOp, "a", a.dtype(), {DType::f32, DType::f16, DType::bf16});
  else
    check_type_in(kOp, "a", a.dtype(), {DType::f32, DType::f16, DType::bf16, DType::f64});
  check_type(kOp, "b", b.dtype(), a.dtype());
  check_type(kOp, "gradient", g.dtype(), a.dtype());
  check_shape(kOp, "gradient", g.shape(), broadcast_shapes(kOp, a.shape(), b.shape()));
  const auto both = [&](const TensorView& of_a, const TensorView& of_b) {
    return BinaryGradients{sum_to_shape(c, of_a, a.shape()), sum_to_shape(c, of_b, b.shape())};
  };
  switch (op) {
    case BinaryOp::add:
      return both(g, g);
    case BinaryOp::sub:
      return both(g, unary(c, UnaryOp::neg, g));
    case BinaryOp::mul:
      return both(mul(c, g, b), mul(c, g, a));
    case BinaryOp::div: {
      const Tensor of_a = div(c, g, b);
      return both(of_a, unary(c, UnaryOp::neg, mul(c, of_a, div(c, a, b))));
    }
    case BinaryOp::min:
      return both(picked(c, CompareOp::lt, a, b, g), picked(c, CompareOp::gt, a, b, g));
    case BinaryOp::max:
      return both(picked(c, CompareOp::gt, a, b, g), picked(c, CompareOp::lt, a, b, g));
    case BinaryOp::pow: {
      // y x^(y-1), and x^y ln x with 0 for x = 0: 0^y does not change with y >= 0.
      const Tensor less_one = binary(c, BinaryOp::sub, b, 1.0);
      const Tensor of_a = mul(c, b, binary(c, BinaryOp::pow, a, less_one));
      const Tensor zero = scalar(c, a.dtype(), 0.0);
      const Tensor positive = compare(c, CompareOp::ne, a, zero);
      const Tensor log_a = where(c, positive, unary(c, UnaryOp::log, a), zero);
      const Tensor of_b = mul(c, binary(c, BinaryOp::pow, a, b), log_a);
      return both(mul(c, g, of_a), mul(c, g, of_b));
    }
    default:
      fail(Errc::unsupported, "binary_backward: only of add, sub, mul, div, min, max and pow");
  }
}

BinaryGradients where_backward(const OpContext& context, const TensorView& condition,
                               const Shape& a, const Shape& b, const TensorView& gradient) {
  constexpr const char* kOp = "where_backward";
  check_type(kOp, "condition", condition.dtype(), DType::u8);
  check_type_in(kOp, "gradient", gradient.dtype(),
                {DType::f32, DType::f16, DType::bf16, DType::f64});
  check_shape(kOp, "gradient", gradient.shape(),
              broadcast_shapes(kOp, condition.shape(), broadcast_shapes(kOp, a, b)));
  const Tensor zero = scalar(context, gradient.dtype(), 0.0);
  return {sum_to_shape(context, where(context, condition, gradient, zero), a),
          sum_to_shape(context, where(context, condition, zero, gradient), b)};
}

}  // namespace bitnet::ops
