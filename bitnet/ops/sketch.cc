// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/sketch.h"

#include <algorithm>
#include <cmath>

#include "bitnet/ops/check.h"
#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/ops/work.h"

namespace bitnet {
namespace {

using namespace sketch_tiles;

constexpr float kMost = 8000;  // of v = 128 * high + low: high within -63 and 63

}  // namespace

SketchInputs::SketchInputs(MatrixView<const float> x) : cols_(x.cols) {
  require(x.rows >= 1 && x.rows <= kMaxRows, "SketchInputs: 1 to 8 rows");
  const std::int64_t blocks = 2 * pairs(cols_);
  values_.resize(usize(blocks * x.rows * 2 * kBlockColumns));
  start_.resize(usize(blocks * x.rows));
  scale_.resize(usize(x.rows));
  floats_.resize(usize(blocks * x.rows * kBlockColumns));
  reach_.resize(usize(x.rows));
  for (std::int64_t row = 0; row < x.rows; ++row) add_row(row, x.row(row));
}

void SketchInputs::add_row(std::int64_t row, const float* x) {
  float most = 0;
  double squares = 0, errors = 0;
  for (std::int64_t i = 0; i < cols_; ++i) {
    most = std::max(most, std::fabs(x[i]));
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  Reach& reach = reach_[usize(row)];
  reach.length = reach.error = std::sqrt(squares);
  if (!std::isfinite(reach.length)) return;  // a NaN passes std::max
  const float scale = most / kMost;
  const float inverse = most >= 0x1p-100f ? kMost / most : 0.0f;  // all 0 below, far off by error()
  float* const floats = floats_.data() + row * 2 * pairs(cols_) * kBlockColumns;
  for (std::int64_t i = 0; i < cols_; ++i) {
    const int v = static_cast<int>(std::lrint(x[i] * inverse));
    const int high = (v + 64) >> 7, low = v - 128 * high;
    const std::int64_t block = i / kBlockColumns * rows() + row;
    std::int8_t* to = values_.data() + 2 * kBlockColumns * block + i % kBlockColumns;
    to[0] = static_cast<std::int8_t>(high);
    to[kBlockColumns] = static_cast<std::int8_t>(low);
    const double e = static_cast<double>(x[i]) - static_cast<double>(scale) * v;
    errors += e * e;
    start_[usize(block)] -= 31 * v;
    floats[i] = static_cast<float>(v);
  }
  scale_[usize(row)] = scale;
  reach.error = std::sqrt(errors);
}

void sketch(const OpContext& context, const Tensor& w, const SketchParts& out) {
  const auto run = supported(context, context.table->sketch, "sketch");
  ops::check_type_in("sketch", "w", w.dtype(), {DType::f32, DType::f16, DType::bf16});
  require(w.cols() % kColumnsMultiple == 0, "sketch: columns are no multiple of 32");
  check_dim("sketch", "bytes of upper bits", static_cast<std::int64_t>(out.upper.size()),
            bytes(w.rows(), w.cols()));
  check_dim("sketch", "bytes of last bits", static_cast<std::int64_t>(out.last.size()),
            w.rows() * last_row_bytes(w.cols()));
  check_dim("sketch", "squares", static_cast<std::int64_t>(out.squares.size()),
            SketchArgs::kSums * w.rows());
  run_in_span(
      "sketch", run,
      {w.data(), w.row_stride_bytes(), static_cast<std::uint8_t>(w.dtype()),
       reinterpret_cast<std::uint8_t*>(out.upper.data()),
       reinterpret_cast<std::uint8_t*>(out.last.data()), out.squares.data(), w.rows(), w.cols()},
      *context.threads);
}

void sketch_dot(const OpContext& context, std::span<const std::byte> sketch, const SketchInputs& x,
                MatrixView<float> out) {
  const auto run = supported(context, context.table->sketch_dot, "sketch_dot");
  check_dim("sketch_dot", "rows of out", out.rows, x.rows());
  check_dim("sketch_dot", "bytes of the sketch", static_cast<std::int64_t>(sketch.size()),
            bytes(out.cols, x.cols()));
  run_in_span("sketch_dot", run,
              {reinterpret_cast<const std::uint8_t*>(sketch.data()), x.values(), x.start(),
               x.scale(), out.data, out.stride, out.cols, pairs(x.cols()), x.rows()},
              *context.threads);
}

void sketch_refine(const OpContext& context, std::span<const std::byte> last, const SketchInputs& x,
                   std::span<const SketchRefineArgs::Place> places, MatrixView<float> out) {
  const auto run = supported(context, context.table->sketch_refine, "sketch_refine");
  check_dim("sketch_refine", "rows of out", out.rows, x.rows());
  check_dim("sketch_refine", "bytes of last bits", static_cast<std::int64_t>(last.size()),
            out.cols * last_row_bytes(x.cols()));
  for (const SketchRefineArgs::Place& p : places)
    require(p.row >= 0 && p.row < out.cols && p.token >= 0 && p.token < x.rows(),
            "sketch_refine: a place outside the products");
  if (places.empty()) return;
  run_in_span(
      "sketch_refine", run,
      {reinterpret_cast<const std::uint8_t*>(last.data()), places.data(), x.floats(), x.scale(),
       out.data, out.stride, static_cast<std::int64_t>(places.size()), pairs(x.cols())},
      *context.threads);
}

}  // namespace bitnet
