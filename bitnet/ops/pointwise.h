// SPDX-License-Identifier: MIT OR Apache-2.0
// Ops that act element by element (ops/pointwise_ops.h says what each means), on views of any
// strides. Inputs broadcast as in NumPy; all are of one type, and so is the result, where not said
// otherwise. Throw Error{invalid_argument} naming op, operand, what was expected and what came,
// where types or shapes differ; Error{unsupported} where an op is not defined for a type or a
// device.
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

// Into `out`, which has the shape that the inputs broadcast to. It may be one of the inputs,
// element for element; otherwise it may not overlap them.

void unary(const OpContext& context, UnaryOp op, const TensorView& x, const MutableTensorView& out,
           float p0 = 0, float p1 = 0);
void binary(const OpContext& context, BinaryOp op, const TensorView& a, const TensorView& b,
            const MutableTensorView& out, float p0 = 0, float p1 = 0);
void compare(const OpContext& context, CompareOp op, const TensorView& a, const TensorView& b,
             const MutableTensorView& out);
void where(const OpContext& context, const TensorView& condition, const TensorView& a,
           const TensorView& b, const MutableTensorView& out);
/// Any type but scaled blocks (q8_0 …), which are made by io/ggml_blocks.h.
void cast(const OpContext& context, const TensorView& x, const MutableTensorView& out);

// Into a tensor of their own, memory from default_pool().

Tensor unary(const OpContext& context, UnaryOp op, const TensorView& x, float p0 = 0, float p1 = 0);
Tensor binary(const OpContext& context, BinaryOp op, const TensorView& a, const TensorView& b,
              float p0 = 0, float p1 = 0);
/// With a number, which becomes the nearest value of a's type.
Tensor binary(const OpContext& context, BinaryOp op, const TensorView& a, double b);
Tensor compare(const OpContext& context, CompareOp op, const TensorView& a, const TensorView& b);
Tensor where(const OpContext& context, const TensorView& condition, const TensorView& a,
             const TensorView& b);
Tensor cast(const OpContext& context, const TensorView& x, DType to);

/// A tensor of rank 0.
Tensor scalar(const OpContext& context, DType dtype, double value);

inline Tensor add(const OpContext& c, const TensorView& a, const TensorView& b) {
  return binary(c, BinaryOp::add, a, b);
}
inline Tensor sub(const OpContext& c, const TensorView& a, const TensorView& b) {
  return binary(c, BinaryOp::sub, a, b);
}
inline Tensor mul(const OpContext& c, const TensorView& a, const TensorView& b) {
  return binary(c, BinaryOp::mul, a, b);
}
inline Tensor div(const OpContext& c, const TensorView& a, const TensorView& b) {
  return binary(c, BinaryOp::div, a, b);
}

/// Gradient of the input of unary(op, x, p0, p1) where `gradient` is that of its output.
Tensor unary_backward(const OpContext& context, UnaryOp op, const TensorView& x,
                      const TensorView& gradient, float p0 = 0, float p1 = 0);

struct BinaryGradients {
  Tensor a, b;  // of the inputs' shapes
};
/// Gradients of the inputs of add, sub, mul, div, min, max or pow, summed over the axes that were
/// repeated. min and max: of equal inputs each takes half. pow: that of b is 0 where a = 0 and b >=
/// 0.
BinaryGradients binary_backward(const OpContext& context, BinaryOp op, const TensorView& a,
                                const TensorView& b, const TensorView& gradient);

/// Gradients of a and b of where(condition, a, b), of the shapes given, summed over the axes that
/// were repeated.
BinaryGradients where_backward(const OpContext& context, const TensorView& condition,
                               const Shape& a, const Shape& b, const TensorView& gradient);

}  // namespace bitnet::ops
