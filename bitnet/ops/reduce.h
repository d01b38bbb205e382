// SPDX-License-Identifier: MIT OR Apache-2.0
// Reductions over any set of axes (ops/reduce_ops.h: what each is and in which order it adds).
// Throw Error{invalid_argument} for axes that are not there or named twice, an `out` of another
// shape, and max, min, argmax, argmin of no elements; Error{unsupported} for types that a reduction
// is not defined for.
#pragma once

#include <span>

#include "bitnet/ops/context.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

enum class KeepDims : bool { no, yes };  // reduced axes stay with 1 element

/// Axes count from 0, negative ones from the back; none given: all. `out` has the shape that is
/// left (either form of KeepDims) and x's type; i64 of argmax, argmin and of sum, prod and norm1 of
/// integers. correction: of variance (1 for that of a sample).
void reduce(const OpContext& context, ReduceOp op, const TensorView& x, std::span<const int> axes,
            const MutableTensorView& out, double correction = 0);

Tensor reduce(const OpContext& context, ReduceOp op, const TensorView& x,
              std::initializer_list<int> axes = {}, KeepDims keep = KeepDims::no,
              double correction = 0);

/// Sums a gradient over the axes along which an operand of shape `to` was repeated to get the
/// gradient's shape.
Tensor sum_to_shape(const OpContext& context, const TensorView& gradient, const Shape& to);

/// Gradient of x where `gradient` is that of reduce(op, x, axes), of the shape that is left. max
/// and min: equal extremes share it equally. prod: of an element that is 0 the product of the
/// others. norm2: 0 where all elements are. argmax and argmin have none: Error{unsupported}.
/// Of f32, f16, bf16 and, but for norm1, f64.
Tensor reduce_backward(const OpContext& context, ReduceOp op, const TensorView& x,
                       std::initializer_list<int> axes, const TensorView& gradient,
                       double correction = 0);

}  // namespace bitnet::ops
