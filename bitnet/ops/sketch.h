// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense weights in 6 bits, and their products with some vectors: near the exact ones, by bounds
// that can be computed (model/head_screen.h).
#pragma once

#include <span>
#include <vector>

#include "bitnet/ops/args.h"
#include "bitnet/ops/context.h"
#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// Vectors x [rows, cols] as sketch_dot() takes them: scale * v, v = 128 * high + low, 13 bits and
/// a sign, each row by itself. Layout: SketchDotArgs.
class SketchInputs {
 public:
  static constexpr std::int64_t kMaxRows = SketchDotArgs::kMaxTokens;
  /// Throws Error{invalid_argument} unless there are 1 to kMaxRows rows.
  explicit SketchInputs(MatrixView<const float> x);

  const std::int8_t* values() const noexcept { return values_.data(); }
  const std::int32_t* start() const noexcept { return start_.data(); }
  const float* scale() const noexcept { return scale_.data(); }
  /// v as SketchRefineArgs has it.
  const float* floats() const noexcept { return floats_.data(); }
  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(scale_.size()); }
  std::int64_t cols() const noexcept { return cols_; }
  /// ||x|| and how far this is from x, ||x - scale * v||; at most 1e-12 of ||x|| wrong. Infinite or
  /// NaN where an x is.
  double length(std::int64_t row) const noexcept { return reach_[usize(row)].length; }
  double error(std::int64_t row) const noexcept { return reach_[usize(row)].error; }

 private:
  struct Reach {
    double length = 0, error = 0;
  };
  static std::size_t usize(std::int64_t n) noexcept { return static_cast<std::size_t>(n); }
  void add_row(std::int64_t row, const float* x);

  std::int64_t cols_;
  std::vector<std::int8_t> values_;
  std::vector<std::int32_t> start_;
  std::vector<float> scale_, floats_;
  std::vector<Reach> reach_;
};

/// Where rows are sketched to (ops/sketch_tiles.h).
struct SketchParts {
  std::span<std::byte> upper;  // as many strips as the rows fill
  std::span<std::byte> last;   // [rows][last_row_bytes]
  std::span<float> squares;    // [rows][SketchArgs::kSums]
};

/// Rows of w (f32, f16, bf16; columns a multiple of 32). Throws Error{invalid_argument}.
void sketch(const OpContext& context, const Tensor& w, const SketchParts& out);

/// out [x.rows(), rows of the sketch] of SketchDotArgs: the upper bits are read once for all of x.
/// Throws Error{invalid_argument}.
void sketch_dot(const OpContext& context, std::span<const std::byte> sketch, const SketchInputs& x,
                MatrixView<float> out);

/// Makes the logits of some places (each once: a row of the sketch, a row of x) in `out`, as
/// sketch_dot() left them, those of all 6 bits: SketchRefineArgs. Throws Error{invalid_argument}.
void sketch_refine(const OpContext& context, std::span<const std::byte> last, const SketchInputs& x,
                   std::span<const SketchRefineArgs::Place> places, MatrixView<float> out);

}  // namespace bitnet
