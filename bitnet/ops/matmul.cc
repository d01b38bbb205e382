// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/matmul.h"

#include "bitnet/ops/check.h"
#include "bitnet/ops/floats.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/work.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {
namespace {

// The axes before the last two.
Shape batch_of(const Shape& shape) {
  return Shape(shape.dims().first(static_cast<std::size_t>(shape.rank() - 2)));
}

Shape product_shape(const TensorView& a, const TensorView& b) {
  for (const auto& [operand, x] : {std::pair{"a", &a}, {"b", &b}})
    if (x->rank() < 2)
      fail(Errc::invalid_argument, std::string("matmul: ") + operand + " is " +
                                       to_string(x->shape()) + ", expected a matrix");
  if (a.dim(-1) != b.dim(-2))
    fail(Errc::invalid_argument, "matmul: a is " + to_string(a.shape()) + " and b " +
                                     to_string(b.shape()) + ": " + std::to_string(a.dim(-1)) +
                                     " columns, " + std::to_string(b.dim(-2)) + " rows");
  const Shape batch = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
  std::vector<std::int64_t> dims(batch.dims().begin(), batch.dims().end());
  dims.insert(dims.end(), {a.dim(-2), b.dim(-1)});
  return Shape(dims);
}

void check_types(const TensorView& a, const TensorView& b, DType out, const MatmulOptions& o) {
  check_type_in("matmul", "a", a.dtype(), {DType::f32, DType::f16, DType::bf16, DType::i8});
  if (a.dtype() == DType::i8) {
    check_type("matmul", "b", b.dtype(), DType::i8);
    check_type("matmul", "out", out, DType::i32);
    require(a.dim(-1) <= kMatmulMaxIntegerDepth, "matmul: i8 products of more than 131071 terms",
            Errc::unsupported);
    require(o.bias.rank() == 0 && o.activation == MatmulActivation::none,
            "matmul: i8 products have neither bias nor activation", Errc::unsupported);
    return;
  }
  check_type_in("matmul", "b", b.dtype(), {DType::f32, DType::f16, DType::bf16});
  check_type_in("matmul", "out", out, {DType::f32, DType::f16, DType::bf16});
}

// A view whose last two axes are a matrix that kernels can read: one of them without gaps.
TensorView readable(const TensorView& x, Tensor& copied) {
  const std::int64_t element = info(x.dtype()).block_bytes;
  if (x.stride(-1) == element || x.stride(-2) == element || x.dim(-1) == 1 || x.dim(-2) == 1)
    return x;
  copied = contiguous(x);
  return copied;
}

// Bytes between rows and columns; an axis of one element takes whatever suits the kernels.
std::pair<std::int64_t, std::int64_t> steps(const TensorView& x) {
  const std::int64_t element = info(x.dtype()).block_bytes;
  std::int64_t row = x.stride(-2), col = x.stride(-1);
  if (row != element && col != element) (x.dim(-1) == 1 ? col : row) = element;
  return {row, col};
}

Strides batch_strides(const TensorView& x, const Shape& batch) {
  const int more = batch.rank() - (x.rank() - 2);
  Strides strides{};
  for (int i = more; i < batch.rank(); ++i)
    if (x.dim(i - more) != 1) strides[static_cast<std::size_t>(i)] = x.stride(i - more);
  return strides;
}

}  // namespace

void matmul(const OpContext& context, const TensorView& a, const TensorView& b,
            const MutableTensorView& out, const MatmulOptions& options) {
  const auto run = supported(context, context.table->matmul, "matmul");
  const Shape shape = product_shape(a, b);
  check_types(a, b, out.dtype(), options);
  check_on_cpu("matmul", "a", a);
  check_on_cpu("matmul", "b", b);
  check_output("matmul", out);
  check_shape("matmul", "out", out.shape(), shape);
  check_rows("matmul", "out", out);
  const float* bias = nullptr;
  if (options.bias.rank() != 0) {
    check_type("matmul", "bias", options.bias.dtype(), DType::f32);
    check_shape("matmul", "bias", options.bias.shape(), Shape{b.dim(-1)});
    check_rows("matmul", "bias", options.bias);
    check_on_cpu("matmul", "bias", options.bias);
    bias = reinterpret_cast<const float*>(options.bias.data());
  }
  Tensor copied_a, copied_b;
  const TensorView from_a = readable(a, copied_a), from_b = readable(b, copied_b);
  const Shape batch = batch_of(shape);
  const auto [a_row, a_col] = steps(from_a);
  const auto [b_row, b_col] = steps(from_b);
  run_in_span("matmul", run,
              {batch,
               a.dim(-2),
               b.dim(-1),
               a.dim(-1),
               {from_a.data(), a.dtype(), batch_strides(from_a, batch)},
               {from_b.data(), b.dtype(), batch_strides(from_b, batch)},
               a_row,
               a_col,
               b_row,
               b_col,
               bias,
               options.activation,
               {out.data(), out.dtype(), batch_strides(out, batch)},
               out.stride(-2)},
              *context.threads);
}

Tensor matmul(const OpContext& context, const TensorView& a, const TensorView& b,
              const MatmulOptions& options) {
  Tensor out =
      Tensor::allocate(a.dtype() == DType::i8 ? DType::i32 : options.out, product_shape(a, b));
  matmul(context, a, b, out.mutable_view(), options);
  return out;
}

MatmulGradients matmul_backward(const OpContext& context, const TensorView& a, const TensorView& b,
                                const TensorView& gradient, const MatmulOptions& options) {
  constexpr const char* kOp = "matmul_backward";
  check_shape(kOp, "gradient", gradient.shape(), product_shape(a, b));
  for (const auto& [operand, x] : {std::pair{"a", &a}, {"b", &b}, {"gradient", &gradient}})
    check_type_in(kOp, operand, x->dtype(), {DType::f32, DType::f16, DType::bf16});
  Tensor passed;  // by the activation
  TensorView g = gradient;
  if (options.activation != MatmulActivation::none) {
    const Tensor z = matmul(context, a, b, {.bias = options.bias});
    passed = unary_backward(
        context, options.activation == MatmulActivation::relu ? UnaryOp::relu : UnaryOp::relu2, z,
        as_floats(context, kOp, "gradient", gradient));
    g = passed;
  }
  const Tensor of_a = matmul(context, g, b.transpose(-1, -2));
  const Tensor of_b = matmul(context, a.transpose(-1, -2), g);
  MatmulGradients result{
      sum_to_shape(context, of_a, a.shape()), sum_to_shape(context, of_b, b.shape()), {}};
  if (options.bias.rank() != 0) {
    check_shape(kOp, "bias", options.bias.shape(), Shape{b.dim(-1)});
    result.bias = sum_to_shape(context, as_floats(context, kOp, "gradient", g), Shape{b.dim(-1)});
  }
  return result;
}

}  // namespace bitnet::ops
