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
  /// At most so many tokens are guessed from the text (prompt_lookup.h) and read together with a
  /// new one; those that are what would have been chosen cost no step of their own. The text, the
  /// random numbers taken for it and the state it leaves are the same with any number. A guess that
  /// was wrong makes the next one shorter, a right one longer. 0: none.
  std::int64_t max_draft = 0;
  static constexpr std::int64_t kMaxDraft = 64;
};

/// What became of the guesses of a text.
struct DraftCounts {
  std::int64_t drafted = 0, accepted = 0;  // tokens
};

/// Called after each computed part of a prompt: tokens done of tokens to do.
using PrefillProgress = std::function<void(std::int64_t done, std::int64_t total)>;
/// Called with each new token; false ends the text (StopReason::cancelled).
using OnToken = std::function<bool(std::int32_t token)>;

/// Thread-compatible. The decoder outlives the session.
class Session {
 public:
  /// Room for context_size tokens, at most config.max_positions, in a cache of type `kv`.
  Session(Decoder& decoder, std::int64_t context_size, KvType kv = KvType::f32,
          HybridMemoryPool& pool = default_pool());

  /// Reads tokens. Throws Error{invalid_argument} where they do not fit into the context (nothing
  /// is read then) or an id is outside the vocabulary.
  void append(std::span<const std::int32_t> ids, const PrefillProgress& progress = {});

  /// Writes tokens until something stops it. Needs at least one token read. Throws
  /// Error{invalid_argument} as validate() and for a max_draft that is not 0 to kMaxDraft.
  StopReason generate(const GenerateOptions& options, const OnToken& on_token);

  /// All logits of the token after everything read so far [vocab]. generate() computes those that
  /// can matter (Decoder::top_logits).
  std::span<const float> logits();

  /// Forgets all but the first `count` tokens; at least one token must then be appended again
  /// before logits().
  void truncate(std::int64_t count);

  /// Of the last generate().
  const DraftCounts& draft_counts() const noexcept { return draft_counts_; }

  std::span<const std::int32_t> tokens() const noexcept { return tokens_; }
  std::int64_t context_size() const noexcept { return cache_.max_positions(); }
  KvType kv_type() const noexcept { return cache_.type(); }

 private:
  // A guess at the tokens behind the last one read, computed along with it.
  struct Ahead {
    std::vector<std::int32_t> draft;
    std::vector<float> hidden;  // [1 + draft][hidden size]: of the last token read and the draft
    std::vector<float> logits;  // [1 + draft][vocab]: what may follow each
    std::size_t accepted = 0;   // tokens of the draft that have become the text
    std::int64_t most = 0;      // tokens of the next draft
  };
  void read(std::span<const std::int32_t> ids, const PrefillProgress& progress);
  void read_ahead(std::int32_t token, std::vector<std::int32_t> draft, Ahead& ahead);
  void find_logits(const Sampler& sampler, Ahead& ahead);
  void accept(Ahead& ahead);
  std::vector<std::int32_t> draft_after(std::int32_t token, const GenerateOptions& options,
                                        std::int64_t count, Ahead& ahead) const;
  MatrixView<const float> hidden() const;
  Decoder* decoder_;
  KvCache cache_;
  std::vector<std::int32_t> tokens_;
  std::vector<float> hidden_;  // of the last token read; empty: none
  std::vector<float> logits_;
  bool logits_valid_ = false;
  DraftCounts draft_counts_;
};

}  // namespace bitnet
