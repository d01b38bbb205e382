// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/reduce.h"

#include <array>
#include <vector>

#include "bitnet/ops/check.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/work.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {
namespace {

constexpr std::array kNames{"sum",    "mean",   "prod",  "max",   "min",
                            "argmax", "argmin", "norm1", "norm2", "variance"};
const char* name(ReduceOp op) { return kNames[static_cast<std::size_t>(op)]; }

bool is_place(ReduceOp op) { return op == ReduceOp::argmax || op == ReduceOp::argmin; }

// Bit i: axis i is reduced.
unsigned axes_mask(ReduceOp op, const TensorView& x, std::span<const int> axes) {
  if (axes.empty()) return (1u << x.rank()) - 1;
  unsigned mask = 0;
  for (const int axis : axes) {
    const int positive = axis < 0 ? axis + x.rank() : axis;
    if (positive < 0 || positive >= x.rank() || (mask & (1u << positive)) != 0)
      fail(Errc::invalid_argument, std::string(name(op)) + ": axis " + std::to_string(axis) +
                                       " of " + to_string(x.shape()) +
                                       " is not there or named twice");
    mask |= 1u << positive;
  }
  return mask;
}

Shape left_shape(const Shape& shape, unsigned mask, KeepDims keep) {
  std::vector<std::int64_t> dims;
  for (int i = 0; i < shape.rank(); ++i)
    if ((mask & (1u << i)) == 0)
      dims.push_back(shape[i]);
    else if (keep == KeepDims::yes)
      dims.push_back(1);
  return Shape(dims);
}

DType result_type(ReduceOp op, DType type) {
  if (is_place(op)) return DType::i64;
  const bool adds = op == ReduceOp::sum || op == ReduceOp::prod || op == ReduceOp::norm1;
  return adds && info(type).kind != NumberKind::floating ? DType::i64 : type;
}

void check_defined(ReduceOp op, DType type) {
  const bool floats_only =
      op == ReduceOp::mean || op == ReduceOp::norm2 || op == ReduceOp::variance;
  if (floats_only)
    check_type_in(name(op), "x", type, {DType::f32, DType::f16, DType::bf16, DType::f64});
  else
    check_type_in(name(op), "x", type,
                  {DType::f32, DType::f16, DType::bf16, DType::f64, DType::i8, DType::u8,
                   DType::u16, DType::i32, DType::i64});
}

// Reduced axes that lie one inside the other, as one: elements and the step between them.
struct Run {
  std::int64_t count = 1, step = 0;
  bool whole = true;  // they do
};

Run run_of(const TensorView& x, unsigned mask) {
  Run run;
  for (int axis = x.rank(); axis-- > 0;) {
    if ((mask & (1u << axis)) == 0) continue;
    const std::int64_t dim = x.dim(axis), stride = x.stride(axis);
    if (dim == 1) continue;
    if (run.count == 1)
      run.step = stride;
    else if (stride != run.step * run.count)
      run.whole = false;
    run.count *= dim;
  }
  return run;
}

// A view with the reduced axes back in place, as 1.
TensorView with_ones(const TensorView& left, unsigned mask, int rank) {
  if (left.rank() == rank) return left;
  TensorView view = left;
  for (int axis = 0; axis < rank; ++axis)
    if ((mask & (1u << axis)) != 0) view = view.expand_dims(axis);
  return view;
}

// For each element the product of those that it shares the axes with: the product of all that are
// not 0, divided by it where none is, as it is where it alone is 0, and 0 where another one is.
Tensor product_of_others(const OpContext& c, const TensorView& x, std::initializer_list<int> axes) {
  const DType type = x.dtype();
  const Tensor zero = scalar(c, type, 0.0), one = scalar(c, type, 1.0);
  const Tensor is_zero = compare(c, CompareOp::eq, x, zero);
  const Tensor zeros = reduce(c, ReduceOp::sum, cast(c, is_zero, DType::f32), axes, KeepDims::yes);
  const Tensor factors = where(c, is_zero, one, x);
  const Tensor product = reduce(c, ReduceOp::prod, factors, axes, KeepDims::yes);
  // Zeros among the others: all, less the element itself.
  const Tensor others = sub(c, zeros, cast(c, is_zero, DType::f32));
  const Tensor none = compare(c, CompareOp::eq, others, scalar(c, DType::f32, 0.0));
  return where(c, none, div(c, product, factors), zero);
}

}  // namespace

void reduce(const OpContext& context, ReduceOp op, const TensorView& x, std::span<const int> axes,
            const MutableTensorView& out, double correction) {
  const auto run = supported(context, context.table->reduce, name(op));
  const unsigned mask = axes_mask(op, x, axes);
  check_defined(op, x.dtype());
  check_on_cpu(name(op), "x", x);
  check_output(name(op), out);
  check_type(name(op), "out", out.dtype(), result_type(op, x.dtype()));
  if (!(out.shape() == left_shape(x.shape(), mask, KeepDims::yes)))
    check_shape(name(op), "out", out.shape(), left_shape(x.shape(), mask, KeepDims::no));
  TensorView source = x;
  Tensor copied;
  Run along = run_of(x, mask);
  if (!along.whole) {
    // Reduced axes that are apart: brought together at the back of a copy.
    std::vector<int> order;
    for (const bool reduced : {false, true})
      for (int i = 0; i < x.rank(); ++i)
        if (((mask >> i) & 1u) == reduced) order.push_back(i);
    copied = contiguous(x.permute(order));
    std::vector<int> back(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) back[std::size_t(order[i])] = int(i);
    source = copied.view().permute(back);
    along.step = info(x.dtype()).block_bytes;
  }
  if (along.count == 0 && (is_place(op) || op == ReduceOp::max || op == ReduceOp::min))
    fail(Errc::invalid_argument,
         std::string(name(op)) + ": no elements along the axes of " + to_string(x.shape()));
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  ArrayIn in = array(source);
  ArrayOut to = array(out);
  std::size_t rank = 0;
  for (int i = 0, o = 0; i < x.rank(); ++i) {
    const bool reduced = (mask >> i) & 1u;
    if (!reduced) {
      dims[rank] = x.dim(i);
      in.strides[rank] = source.stride(i);
      to.strides[rank] = out.stride(o);
      ++rank;
    }
    o += !reduced || out.rank() == x.rank();
  }
  run_in_span(
      "reduce", run,
      {op, Shape(std::span(dims.data(), rank)), in, along.count, along.step, to, correction},
      *context.threads);
}

Tensor reduce(const OpContext& context, ReduceOp op, const TensorView& x,
              std::initializer_list<int> axes, KeepDims keep, double correction) {
  check_defined(op, x.dtype());
  const std::span<const int> span(axes.begin(), axes.size());
  Tensor out = Tensor::allocate(result_type(op, x.dtype()),
                                left_shape(x.shape(), axes_mask(op, x, span), keep));
  reduce(context, op, x, span, out.mutable_view(), correction);
  return out;
}

Tensor sum_to_shape(const OpContext& context, const TensorView& gradient, const Shape& to) {
  const int more = gradient.rank() - to.rank();
  std::vector<int> axes;
  for (int i = 0; i < gradient.rank(); ++i)
    if (i < more || (to[i - more] == 1 && gradient.dim(i) != 1)) axes.push_back(i);
  if (axes.empty()) return contiguous(gradient);
  Tensor out = Tensor::allocate(gradient.dtype(), to);
  MutableTensorView view = out.mutable_view();
  for (int i = 0; i < more; ++i) view = view.expand_dims(0);
  reduce(context, ReduceOp::sum, gradient, axes, view);
  return out;
}

Tensor reduce_backward(const OpContext& context, ReduceOp op, const TensorView& x,
                       std::initializer_list<int> axes, const TensorView& gradient,
                       double correction) {
  if (op == ReduceOp::norm1)
    check_type_in(name(op), "x", x.dtype(), {DType::f32, DType::f16, DType::bf16});
  else
    check_type_in(name(op), "x", x.dtype(), {DType::f32, DType::f16, DType::bf16, DType::f64});
  check_type(name(op), "gradient", gradient.dtype(), x.dtype());
  const unsigned mask = axes_mask(op, x, {axes.begin(), axes.size()});
  if (!(gradient.shape() == left_shape(x.shape(), mask, KeepDims::yes)))
    check_shape(name(op), "gradient", gradient.shape(), left_shape(x.shape(), mask, KeepDims::no));
  const auto count = static_cast<double>(run_of(x, mask).count);
  const TensorView wide = with_ones(gradient, mask, x.rank()).broadcast_to(x.shape());
  const OpContext& c = context;
  const auto again = [&](ReduceOp which) { return reduce(c, which, x, axes, KeepDims::yes); };
  switch (op) {
    case ReduceOp::sum:
      return contiguous(wide);
    case ReduceOp::mean:
      return binary(c, BinaryOp::div, wide, count);
    case ReduceOp::prod:
      return mul(c, wide, product_of_others(c, x, axes));
    case ReduceOp::norm1:
      return binary(c, BinaryOp::abs_grad, x, wide);
    case ReduceOp::norm2: {
      const Tensor norm = again(ReduceOp::norm2), zero = scalar(c, x.dtype(), 0.0);
      const Tensor none = compare(c, CompareOp::eq, norm, zero);
      return mul(c, wide, where(c, none, zero, div(c, x, norm)));
    }
    case ReduceOp::variance: {
      const Tensor centered = sub(c, x, again(ReduceOp::mean));
      return mul(c, wide, binary(c, BinaryOp::mul, centered, 2.0 / (count - correction)));
    }
    case ReduceOp::max:
    case ReduceOp::min: {
      const Tensor is = cast(c, compare(c, CompareOp::eq, x, again(op)), x.dtype());
      return mul(c, wide, div(c, is, reduce(c, ReduceOp::sum, is, axes, KeepDims::yes)));
    }
    default:
      fail(Errc::unsupported, std::string(name(op)) + ": has no gradient");
  }
}

}  // namespace bitnet::ops
