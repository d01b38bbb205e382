// SPDX-License-Identifier: MIT OR Apache-2.0
// Activations as int8, one scale a token: the input of every ternary layer.
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// Room for up to max_tokens rows of up to max_cols activations, filled by quantize(). Layout:
/// ops/args.h, QuantizeArgs.
class QuantizedRows {
 public:
  QuantizedRows(std::int64_t max_tokens, std::int64_t max_cols, HybridMemoryPool& pool);

  std::int64_t tokens() const noexcept { return tokens_; }
  std::int64_t cols() const noexcept { return cols_; }
  std::int64_t stride() const noexcept { return stride_; }
  std::int8_t* q() noexcept { return reinterpret_cast<std::int8_t*>(q_.mutable_data()); }
  const std::int8_t* q() const noexcept { return reinterpret_cast<const std::int8_t*>(q_.data()); }
  float* scale() noexcept { return scale_.as_mutable<float>(); }
  const float* scale() const noexcept { return scale_.as<float>(); }
  std::int32_t* sum() noexcept { return sum_.as_mutable<std::int32_t>(); }
  const std::int32_t* sum() const noexcept { return sum_.as<std::int32_t>(); }

  /// Sets the size of what follows; throws Error{invalid_argument} beyond the room.
  void resize(std::int64_t tokens, std::int64_t cols);

 private:
  std::int64_t max_tokens_, max_cols_;
  std::int64_t tokens_ = 0, cols_ = 0, stride_ = 0;
  Tensor q_, scale_, sum_;
};

/// Quantizes x [tokens][cols] into `out`.
void quantize(const OpContext& context, MatrixView<const float> x, QuantizedRows& out);

}  // namespace bitnet
