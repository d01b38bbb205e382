// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense weights in 6 bits, and their products with a vector: near the exact ones, by bounds that
// can be computed (model/head_screen.h).
#pragma once

#include <span>
#include <vector>

#include "bitnet/ops/context.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// A vector x as sketch_dot() takes it: scale * (128 * high + low), 14 bits and a sign.
class SketchInput {
 public:
  explicit SketchInput(std::span<const float> x);

  const std::int8_t* high() const noexcept { return high_.data(); }
  const std::int8_t* low() const noexcept { return low_.data(); }
  const std::int32_t* start() const noexcept { return start_.data(); }
  float scale() const noexcept { return scale_; }
  std::int64_t cols() const noexcept { return cols_; }
  /// ||x|| and how far this is from x, ||x - scale * (128 * high + low)||; at most 1e-12 of ||x||
  /// wrong. Infinite or NaN where an x is.
  double length() const noexcept { return length_; }
  double error() const noexcept { return error_; }

 private:
  std::vector<std::int8_t> high_, low_;
  std::vector<std::int32_t> start_;
  float scale_ = 0;
  std::int64_t cols_;
  double length_ = 0, error_ = 0;
};

/// Rows of w (f32, f16, bf16; columns a multiple of 32) into `out`, as many strips of
/// ops/sketch_tiles.h as they fill; squares [rows][3] as SketchArgs says.
/// Throws Error{invalid_argument}.
void sketch(const OpContext& context, const Tensor& w, std::span<std::byte> out,
            std::span<float> squares);

/// out[r] of SketchDotArgs for out.size() rows of a sketch. Throws Error{invalid_argument}.
void sketch_dot(const OpContext& context, std::span<const std::byte> sketch, const SketchInput& x,
                std::span<float> out);

}  // namespace bitnet
