// SPDX-License-Identifier: MIT OR Apache-2.0
// One text being read and written: tokens, their cache, and the next token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bitnet/generate/sampler.h"
#include "bitnet/model/decoder.h"

namespace bitnet {

enum class StopReason : std::uint8_t { stop_token, max_tokens, context_full, cancelled };

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_tokens = -1;           // -1: until a stop token or the context is full
  std::vector<std::int32_t> stop_tokens;  // ends the text; not reported to on_token
};

/// Called after each computed part of a prompt: tokens done of tokens to do.
using PrefillProgress = std::function<void(std::int64_t done, std::int64_t total)>;
/// Called with each new token; false ends the text (StopReason::cancelled).
using OnToken = std::function<bool(std::int32_t token)>;

/// Thread-compatible. The decoder outlives the session.
class Session {
 public:
  /// Room for context_size tokens, at most config.max_positions.
  Session(Decoder& decoder, std::int64_t context_size, HybridMemoryPool& pool = default_pool());

  /// Reads tokens. Throws Error{invalid_argument} where they do not fit into the context (nothing
  /// is read then) or an id is outside the vocabulary.
  void append(std::span<const std::int32_t> ids, const PrefillProgress& progress = {});

  /// Writes tokens until something stops it. Needs at least one token read.
  StopReason generate(const GenerateOptions& options, const OnToken& on_token);

  /// All logits of the token after everything read so far [vocab]. generate() computes those that
  /// can matter (Decoder::top_logits).
  std::span<const float> logits();

  /// Forgets all but the first `count` tokens; at least one token must then be appended again
  /// before logits().
  void truncate(std::int64_t count);

  std::span<const std::int32_t> tokens() const noexcept { return tokens_; }
  std::int64_t context_size() const noexcept { return cache_.max_positions(); }

 private:
  void read(std::span<const std::int32_t> ids, const PrefillProgress& progress);
  MatrixView<const float> hidden() const;
  Decoder* decoder_;
  KvCache cache_;
  std::vector<std::int32_t> tokens_;
  std::vector<float> hidden_;  // of the last token read; empty: none
  std::vector<float> logits_;
  bool logits_valid_ = false;
};

}  // namespace bitnet
