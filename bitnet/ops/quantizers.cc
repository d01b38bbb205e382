// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/quantizers.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "bitnet/ops/attention.h"
#include "bitnet/ops/check.h"
#include "bitnet/ops/floats.h"
#include "bitnet/ops/linear.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/work.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {
namespace {

bool by_mean(Quantizer kind) {
  return kind == Quantizer::absmean_ternary || kind == Quantizer::sign;
}

DType type_of(Quantizer kind) {
  return kind == Quantizer::absmean_ternary ? DType::ternary2
         : kind == Quantizer::sign          ? DType::i1
                                            : DType::i8;
}

// Scale and zero point of all rows together.
void whole_tensor(const OpContext& context, Quantizer kind, const Tensor& x, Quantization& q) {
  const std::int64_t count = x.rows() * x.cols();
  if (by_mean(kind)) {
    std::vector<double> sums(static_cast<std::size_t>(x.rows()));
    run_in_span("abs_sum", context.table->abs_sum,
                {x.as<float>(), x.cols(), sums.data(), x.rows(), x.cols()}, *context.threads);
    double sum = 0;
    for (const double s : sums) sum += s;
    q.scales[0] = std::max(static_cast<float>(sum / static_cast<double>(count)), 1e-5f);
    return;
  }
  // As one long row, whose codes are thrown away.
  Tensor codes = Tensor::allocate(DType::i8, {count});
  run_in_span("quantize_rows", context.table->quantize_rows,
              {kind, x.as<float>(), 0, reinterpret_cast<std::uint8_t*>(codes.mutable_data()), 0,
               q.scales.data(), q.zero_points.data(), 0, false, 0, 1, count, count},
              *context.threads);
}

}  // namespace

Tensor quantize(const OpContext& context, Quantizer kind, const TensorView& x,
                const QuantizeOptions& options) {
  const auto run = supported(context, context.table->quantize_rows, "quantize");
  const Tensor rows = as_floats(context, "quantize", "x", x);
  const std::int64_t cols = rows.cols();
  if (x.rank() == 0 || cols == 0)
    fail(Errc::invalid_argument,
         "quantize: x is " + to_string(x.shape()) + ", expected rows of at least one element");
  Quantization q{options.granularity, 0, {}, {}};
  std::int64_t group = cols, stride = options.granularity == ScaleGranularity::tensor ? 0 : 1;
  if (options.granularity == ScaleGranularity::group) {
    const std::int64_t step = kind == Quantizer::absmean_ternary ? 256
                              : kind == Quantizer::sign          ? 8
                                                                 : 1;
    if (options.group_cols <= 0 || options.group_cols % step != 0)
      fail(Errc::invalid_argument, "quantize: groups of " + std::to_string(options.group_cols) +
                                       " columns, expected a multiple of " + std::to_string(step));
    group = q.group_cols = options.group_cols;
    stride = ceil_div(cols, group);
  }
  const std::int64_t scales = stride == 0 ? 1 : rows.rows() * stride;
  q.scales.resize(static_cast<std::size_t>(scales));
  if (kind == Quantizer::asymmetric_i8) q.zero_points.resize(q.scales.size());
  if (stride == 0 && rows.rows() > 0) whole_tensor(context, kind, rows, q);
  Tensor codes = Tensor::allocate(type_of(kind), x.shape());
  run_in_span("quantize_rows", run,
              {kind, rows.as<float>(), cols, reinterpret_cast<std::uint8_t*>(codes.mutable_data()),
               codes.row_stride_bytes(), q.scales.data(),
               q.zero_points.empty() ? nullptr : q.zero_points.data(), stride, stride == 0,
               options.seed, rows.rows(), cols, group},
              *context.threads);
  // A mean is finite where its elements are.
  for (std::size_t i = 0; i < q.scales.size(); ++i)
    if (!std::isfinite(q.scales[i]) && by_mean(kind)) {
      const auto row = stride == 0 ? 0 : i / static_cast<std::size_t>(stride);
      fail(Errc::invalid_argument,
           "quantize: " + (stride == 0 ? "x" : "row " + std::to_string(row)) +
               " holds a NaN or an infinity");
    }
  codes.set_quantization(std::move(q));
  return codes;
}

Tensor dequantize(const OpContext& context, const Tensor& codes) {
  require(codes.quantization().has_value(), "dequantize: the tensor has no quantization()");
  const Quantization& q = *codes.quantization();
  Tensor out = cast(context, codes, DType::f32);
  const std::int64_t cols = out.cols();
  const std::int64_t group = q.granularity == ScaleGranularity::group ? q.group_cols : cols;
  const std::int64_t groups = q.granularity == ScaleGranularity::tensor ? 0 : ceil_div(cols, group);
  float* values = out.as_mutable<float>();
  context.threads->for_slices(out.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t c = 0; c < cols; ++c) {
        const auto at = static_cast<std::size_t>(groups == 0 ? 0 : r * groups + c / group);
        float& v = values[r * cols + c];
        if (!q.zero_points.empty()) v -= static_cast<float>(q.zero_points[at]);
        v *= q.scales[at];
      }
  });
  return out;
}

namespace {

Tensor run_dropout(const OpContext& context, const TensorView& x, const TensorView* gradient,
                   const DropoutOptions& o) {
  const char* const op = gradient ? "dropout_backward" : "dropout";
  const auto run = supported(context, context.table->dropout, op);
  if (!(o.probability >= 0 && o.probability < 1))
    fail(Errc::invalid_argument, std::string(op) + ": the probability is " +
                                     std::to_string(o.probability) +
                                     ", expected at least 0 and below 1");
  check_type(op, "x", x.dtype(), DType::f32);
  check_on_cpu(op, "x", x);
  const Tensor rows = as_contiguous(x);
  Tensor g, out = Tensor::allocate(DType::f32, x.shape());
  if (gradient) {
    check_type(op, "gradient", gradient->dtype(), DType::f32);
    check_shape(op, "gradient", gradient->shape(), x.shape());
    check_on_cpu(op, "gradient", *gradient);
    g = as_contiguous(*gradient);
  }
  run_in_span(
      "dropout", run,
      {rows.as<float>(), gradient ? g.as<float>() : nullptr, out.as_mutable<float>(),
       x.num_elements(), o.seed, o.first, static_cast<std::uint32_t>(o.probability * 0x1p32),
       static_cast<float>(1.0 / (1.0 - o.probability)), o.relu},
      *context.threads);
  return out;
}

// ids as numbers in [0, rows).
Tensor checked_ids(const char* op, const TensorView& ids, std::int64_t rows) {
  check_type(op, "ids", ids.dtype(), DType::i64);
  check_on_cpu(op, "ids", ids);
  Tensor t = as_contiguous(ids);
  for (std::int64_t i = 0; i < ids.num_elements(); ++i) {
    const std::int64_t id = t.as<std::int64_t>()[i];
    if (id < 0 || id >= rows)
      fail(Errc::invalid_argument, std::string(op) + ": id " + std::to_string(id) +
                                       " is outside the table of " + std::to_string(rows) +
                                       " rows");
  }
  return t;
}

}  // namespace

Tensor dropout(const OpContext& context, const TensorView& x, const DropoutOptions& options) {
  return run_dropout(context, x, nullptr, options);
}

Tensor dropout_backward(const OpContext& context, const TensorView& x, const TensorView& gradient,
                        const DropoutOptions& options) {
  return run_dropout(context, x, &gradient, options);
}

Tensor embedding(const OpContext& context, const Tensor& table, const TensorView& ids) {
  check_type_in("embedding", "table", table.dtype(),
                {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q6_k});
  check_rank("embedding", "table", table, 2);
  const Tensor wide = checked_ids("embedding", ids, table.rows());
  require(table.rows() <= INT32_MAX, "embedding: more than 2^31 - 1 rows", Errc::unsupported);
  const Tensor narrow = cast(context, wide, DType::i32);
  const std::int64_t count = ids.num_elements();
  std::vector<std::int64_t> dims(ids.shape().dims().begin(), ids.shape().dims().end());
  dims.push_back(table.cols());
  Tensor out = Tensor::allocate(DType::f32, Shape(dims));
  embed(context, table, {narrow.as<std::int32_t>(), static_cast<std::size_t>(count)},
        {out.as_mutable<float>(), count, table.cols(), table.cols()});
  return out;
}

Tensor embedding_backward(const OpContext& context, const TensorView& ids,
                          const TensorView& gradient, std::int64_t rows) {
  const auto run = supported(context, context.table->embed_grad, "embedding_backward");
  const Tensor wide = checked_ids("embedding_backward", ids, rows);
  const Tensor g = as_floats(context, "embedding_backward", "gradient", gradient);
  check_rank("embedding_backward", "gradient", gradient, ids.rank() + 1);
  const auto dims = gradient.shape().dims();
  check_shape("embedding_backward", "ids", ids.shape(), Shape(dims.first(dims.size() - 1)));
  Tensor table = Tensor::allocate(DType::f32, {rows, g.cols()});
  if (table.size_bytes() > 0) std::memset(table.mutable_data(), 0, table.size_bytes());
  run_in_span("embed_grad", run,
              {wide.as<std::int64_t>(), g.as<float>(), g.cols(), table.as_mutable<float>(),
               ids.num_elements(), g.cols()},
              *context.threads);
  return table;
}

void rope_backward(const OpContext& context, MatrixView<float> gradient, std::int64_t dim,
                   MatrixView<const float> cos, MatrixView<const float> sin) {
  Tensor minus = Tensor::allocate(DType::f32, {sin.rows, sin.cols});
  for (std::int64_t r = 0; r < sin.rows; ++r)
    for (std::int64_t c = 0; c < sin.cols; ++c)
      minus.as_mutable<float>()[r * sin.cols + c] = -sin.row(r)[c];
  rope(context, gradient, dim, cos, {minus.as<float>(), sin.rows, sin.cols, sin.cols});
}

}  // namespace bitnet::ops
