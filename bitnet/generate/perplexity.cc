// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/perplexity.h"

#include <algorithm>
#include <string>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/math.h"

namespace bitnet {
namespace {

// Rows of logits held at once: 32 x 128,256 floats are 16 MiB.
constexpr std::int64_t kLogitRows = 32;

// Adds up the windows of a text.
class Meter {
 public:
  Meter(Decoder& decoder, std::span<const std::int32_t> tokens, KvType kv)
      : decoder_(decoder),
        tokens_(tokens),
        kv_(kv),
        vocab_(decoder.config().vocab_size),
        logits_(Tensor::allocate(DType::f32, {kLogitRows, vocab_})) {}

  // NLL of the tokens after [first, first + count), read from an empty context.
  double window(std::int64_t first, std::int64_t count) {
    KvCache cache(decoder_.config(), std::max<std::int64_t>(count, 1), kv_);
    double sum = 0.0;
    for (std::int64_t at = 0; at < count; at += Decoder::kPromptChunk) {
      const std::int64_t chunk = std::min(Decoder::kPromptChunk, count - at);
      const auto hidden = decoder_.forward(
          tokens_.subspan(static_cast<std::size_t>(first + at), static_cast<std::size_t>(chunk)),
          cache);
      for (std::int64_t row = 0; row < chunk; row += kLogitRows)
        sum += rows(hidden.rows_from(row, std::min(kLogitRows, chunk - row)), first + at + row);
    }
    return sum;
  }

 private:
  double rows(MatrixView<const float> hidden, std::int64_t first) {
    const MatrixView<float> out{logits_.as_mutable<float>(), hidden.rows, vocab_, vocab_};
    decoder_.logits(hidden, out);
    double sum = 0.0;
    for (std::int64_t r = 0; r < hidden.rows; ++r)
      sum += negative_log_likelihood({out.row(r), static_cast<std::size_t>(vocab_)},
                                     tokens_[static_cast<std::size_t>(first + r + 1)]);
    return sum;
  }

  Decoder& decoder_;
  std::span<const std::int32_t> tokens_;
  KvType kv_;
  std::int64_t vocab_;
  Tensor logits_;
};

}  // namespace

double negative_log_likelihood(std::span<const float> logits, std::int32_t target) {
  const double max = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (const float logit : logits) sum += det_exp(static_cast<double>(logit) - max);
  return det_log(sum) + max - static_cast<double>(logits[static_cast<std::size_t>(target)]);
}

Perplexity perplexity(Decoder& decoder, std::span<const std::int32_t> tokens, std::int64_t window,
                      KvType kv, const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const ModelConfig& config = decoder.config();
  require(tokens.size() >= 2, "perplexity: at least two tokens are needed");
  if (window < 1 || window > config.max_positions)
    fail(Errc::invalid_argument, "perplexity: window " + std::to_string(window) +
                                     ", the model has 1 to " +
                                     std::to_string(config.max_positions) + " positions");
  for (const std::int32_t id : tokens)
    if (id < 0 || id >= config.vocab_size)
      fail(Errc::invalid_argument, "perplexity: token id " + std::to_string(id) +
                                       " is outside the vocabulary of " +
                                       std::to_string(config.vocab_size));
  const auto total = static_cast<std::int64_t>(tokens.size()) - 1;
  Meter meter(decoder, tokens, kv);
  Perplexity result;
  double sum = 0.0;
  for (std::int64_t first = 0; first < total; first += window) {
    const std::int64_t count = std::min(window, total - first);
    sum += meter.window(first, count);
    if (first == 0) result.first_window_nll = sum / static_cast<double>(count);
    if (progress) progress(first + count, total);
  }
  result.tokens = total;
  result.nll = sum / static_cast<double>(total);
  result.ppl = det_exp(result.nll);
  return result;
}

}  // namespace bitnet
