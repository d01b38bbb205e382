// SPDX-License-Identifier: MIT OR Apache-2.0
// The ops that act element by element, and what each means.
#pragma once

#include <cstdint>

namespace bitnet {

/// out = f(x). Floats alone but for neg, abs, square, relu, relu2 and clamp. p0, p1: parameters.
enum class UnaryOp : std::uint8_t {
  neg,
  abs,
  square,
  reciprocal,
  sqrt,
  rsqrt,  // 1 / sqrt(x), both rounded
  exp,
  log,
  relu,        // max(x, 0); NaN stays
  relu2,       // relu(x)^2
  leaky_relu,  // x < 0 ? p0 * x : x
  sigmoid,
  silu,  // x sigmoid(x), also called Swish
  tanh,
  gelu,       // x P(X < x), X normal: the erf form
  gelu_tanh,  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  clamp,      // min(max(x, p0), p1); NaN stays
};

/// out = f(a, b). The *_grad take a = x, the input of the unary op, and b = the gradient of its
/// output, and give the gradient of x; at kinks the slope is that of the right side of relu (0),
/// and 0 for abs. clamp_grad: b where p0 <= a <= p1, else 0.
enum class BinaryOp : std::uint8_t {
  add,
  sub,
  mul,
  div,  // of integers: towards 0; by 0 gives 0
  min,  // IEEE 754-2019 minimum: NaN where either is, -0 < +0
  max,
  pow,  // floats
  abs_grad,
  square_grad,
  reciprocal_grad,
  sqrt_grad,
  rsqrt_grad,
  exp_grad,
  log_grad,
  relu_grad,
  relu2_grad,
  leaky_relu_grad,
  sigmoid_grad,
  silu_grad,
  tanh_grad,
  gelu_grad,
  gelu_tanh_grad,
  clamp_grad,
};

/// out = 1 or 0 as u8; with NaN only ne is 1.
enum class CompareOp : std::uint8_t { eq, ne, lt, le, gt, ge };

}  // namespace bitnet
