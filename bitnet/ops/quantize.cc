// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/quantize.h"

#include "bitnet/ops/work.h"

namespace bitnet {

QuantizedRows::QuantizedRows(std::int64_t max_tokens, std::int64_t max_cols, HybridMemoryPool& pool)
    : max_tokens_(max_tokens),
      max_cols_(max_cols),
      q_(Tensor::allocate(DType::i8, {max_tokens, round_up(max_cols, 256)}, pool)),
      scale_(Tensor::allocate(DType::f32, {max_tokens}, pool)),
      sum_(Tensor::allocate(DType::i32, {max_tokens}, pool)) {}

void QuantizedRows::resize(std::int64_t tokens, std::int64_t cols) {
  require(tokens >= 0 && tokens <= max_tokens_,
          "QuantizedRows: more tokens than there is room for");
  require(cols > 0 && cols <= max_cols_, "QuantizedRows: more columns than there is room for");
  tokens_ = tokens;
  cols_ = cols;
  stride_ = round_up(cols, 256);
}

void quantize(const OpContext& context, MatrixView<const float> x, QuantizedRows& out) {
  out.resize(x.rows, x.cols);
  const auto run = supported(context, context.table->quantize, "quantize");
  run_in_span("quantize", run,
              {x.data, x.stride, out.q(), out.stride(), out.scale(), out.sum(), x.rows, x.cols},
              *context.threads);
}

}  // namespace bitnet
