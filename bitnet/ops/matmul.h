// SPDX-License-Identifier: MIT OR Apache-2.0
// Products of matrices of any strides, in batches (ops/matmul_args.h: the order in which they add).
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

struct MatmulOptions {
  TensorView bias;  // f32 [n]; none where its rank is 0
  MatmulActivation activation = MatmulActivation::none;
  DType out = DType::f32;  // of the form that makes its own tensor: f32, f16, bf16
};

/// out [..., m, n] = activation(a [..., m, k] x b [..., k, n] + bias); the axes in front broadcast.
/// f32, f16 and bf16 in any pair; i8 x i8 gives i32, exactly. A transposed operand is a view
/// (transpose(-1, -2)) and costs no copy; rows and columns both with gaps cost one.
/// Throws Error{invalid_argument} where shapes or types do not fit, naming both;
/// Error{unsupported} for other types, and for i8 with k > 131071, a bias or an activation.
void matmul(const OpContext& context, const TensorView& a, const TensorView& b,
            const MutableTensorView& out, const MatmulOptions& options = {});
Tensor matmul(const OpContext& context, const TensorView& a, const TensorView& b,
              const MatmulOptions& options = {});

struct MatmulGradients {
  Tensor a, b;  // of the inputs' shapes, f32
  Tensor bias;  // f32 [n]; without a bias not defined()
};
/// Gradients for that of matmul(a, b, options), past the activation first, for which the product is
/// computed again (a stored relu(z)^2 may have lost z): gradient x b^T, a^T x gradient, and the
/// gradient's sum over rows; summed over axes in front that were repeated. Throws as matmul();
/// Error{unsupported} for i8.
MatmulGradients matmul_backward(const OpContext& context, const TensorView& a, const TensorView& b,
                                const TensorView& gradient, const MatmulOptions& options = {});

}  // namespace bitnet::ops
