// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/sketch.h"

#include <algorithm>
#include <cmath>

#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/ops/work.h"

namespace bitnet {
namespace {

using namespace sketch_tiles;

constexpr float kMost = 16000;  // of 128 * high + low: high within -125 and 125

}  // namespace

SketchInput::SketchInput(std::span<const float> x) : cols_(static_cast<std::int64_t>(x.size())) {
  const auto filled = static_cast<std::size_t>(pairs(cols_) * kPairColumns);
  high_.resize(filled);
  low_.resize(filled);
  start_.resize(2 * filled / kBlockColumns);
  float most = 0;
  for (const float v : x) most = std::max(most, std::fabs(v));
  double squares = 0, errors = 0;
  for (const float v : x) squares += static_cast<double>(v) * static_cast<double>(v);
  length_ = std::sqrt(squares);
  if (!std::isfinite(length_)) {  // a NaN passes std::max
    error_ = length_;
    return;
  }
  scale_ = most / kMost;
  const float inverse = most >= 0x1p-100f ? kMost / most : 0.0f;  // all 0 below, far off by error()
  for (std::size_t i = 0; i < x.size(); ++i) {
    const int v = static_cast<int>(std::lrint(x[i] * inverse));
    const int high = (v + 64) >> 7;
    high_[i] = static_cast<std::int8_t>(high);
    low_[i] = static_cast<std::int8_t>(v - 128 * high);
    const double e = static_cast<double>(x[i]) - static_cast<double>(scale_) * v;
    errors += e * e;
    start_[2 * (i / kBlockColumns)] -= 32 * high_[i];
    start_[2 * (i / kBlockColumns) + 1] -= 32 * low_[i];
  }
  error_ = std::sqrt(errors);
}

void sketch(const OpContext& context, const Tensor& w, std::span<std::byte> out,
            std::span<float> squares) {
  const auto run = supported(context, context.table->sketch, "sketch");
  require(w.dtype() == DType::f32 || w.dtype() == DType::f16 || w.dtype() == DType::bf16,
          "sketch: weights are not f32, f16 or bf16");
  require(w.cols() % kBlockColumns == 0, "sketch: columns are no multiple of 32");
  check_dim("sketch", "bytes of out", static_cast<std::int64_t>(out.size()),
            bytes(w.rows(), w.cols()));
  check_dim("sketch", "squares", static_cast<std::int64_t>(squares.size()), 3 * w.rows());
  run_in_span("sketch", run,
              {w.data(), w.row_stride_bytes(), static_cast<std::uint8_t>(w.dtype()),
               reinterpret_cast<std::uint8_t*>(out.data()), squares.data(), w.rows(), w.cols()},
              *context.threads);
}

void sketch_dot(const OpContext& context, std::span<const std::byte> sketch, const SketchInput& x,
                std::span<float> out) {
  const auto run = supported(context, context.table->sketch_dot, "sketch_dot");
  const auto rows = static_cast<std::int64_t>(out.size());
  check_dim("sketch_dot", "bytes of the sketch", static_cast<std::int64_t>(sketch.size()),
            bytes(rows, x.cols()));
  run_in_span("sketch_dot", run,
              {reinterpret_cast<const std::uint8_t*>(sketch.data()), x.high(), x.low(), x.start(),
               x.scale(), out.data(), rows, pairs(x.cols())},
              *context.threads);
}

}  // namespace bitnet
