// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/elementwise.h"

#include "bitnet/ops/check.h"
#include "bitnet/ops/work.h"

namespace bitnet {

void rms_norm(const OpContext& context, MatrixView<const float> x, const Tensor& weight, float eps,
              MatrixView<float> out, std::int64_t divisor) {
  const auto run = supported(context, context.table->rms_norm, "rms_norm");
  ops::check_type("rms_norm", "weight", weight.dtype(), DType::f32);
  require(divisor == 0 || divisor >= x.cols, "rms_norm: a mean of fewer columns than there are");
  check_dim("rms_norm", "elements of weight", weight.cols() * weight.rows(), x.cols);
  check_dim("rms_norm", "columns of out", out.cols, x.cols);
  check_dim("rms_norm", "rows of out", out.rows, x.rows);
  run_in_span("rms_norm", run,
              {x.data, x.stride, weight.as<float>(), out.data, out.stride, x.rows, x.cols, eps,
               divisor == 0 ? x.cols : divisor},
              *context.threads);
}

void gated_activation(const OpContext& context, GatedActivation kind, MatrixView<const float> gate,
                      MatrixView<const float> up, MatrixView<float> out) {
  const auto run = supported(context, context.table->gated_activation, "gated_activation");
  check_dim("gated_activation", "columns of up", up.cols, gate.cols);
  check_dim("gated_activation", "rows of up", up.rows, gate.rows);
  check_dim("gated_activation", "columns of out", out.cols, gate.cols);
  check_dim("gated_activation", "rows of out", out.rows, gate.rows);
  run_in_span("gated_activation", run,
              {gate.data, gate.stride, up.data, up.stride, out.data, out.stride, gate.rows,
               gate.cols, kind},
              *context.threads);
}

void add(const OpContext& context, MatrixView<float> x, MatrixView<const float> y) {
  const auto run = supported(context, context.table->add, "add");
  check_dim("add", "columns of y", y.cols, x.cols);
  check_dim("add", "rows of y", y.rows, x.rows);
  run_in_span("add", run, {x.data, x.stride, y.data, y.stride, x.rows, x.cols}, *context.threads);
}

}  // namespace bitnet
