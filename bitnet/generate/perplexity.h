// SPDX-License-Identifier: MIT OR Apache-2.0
// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "bitnet/model/decoder.h"

namespace bitnet {

struct Perplexity {
  double nll = 0.0;  // mean negative log-likelihood per predicted token, natural logarithm
  double ppl = 0.0;  // exp(nll)
  double first_window_nll = 0.0;  // of the first window alone
  std::int64_t tokens = 0;        // predicted tokens
};

/// Window k reads tokens [k * window, (k + 1) * window) from an empty context and predicts the
/// token after each; the last window may be shorter. Sums are in double, in order: the same bits on
/// every machine. `kv`: the type of the cache. Throws Error{invalid_argument} for fewer than two
/// tokens, ids outside the vocabulary, a window below 1 or beyond the model's positions.
Perplexity perplexity(
    Decoder& decoder, std::span<const std::int32_t> tokens, std::int64_t window,
    KvType kv = KvType::f32,
    const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

/// -log softmax(logits)[target], in double.
double negative_log_likelihood(std::span<const float> logits, std::int32_t target);

}  // namespace bitnet
