// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/session.h"

#include <algorithm>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/generate/prompt_lookup.h"
#include "bitnet/profile/profiler.h"

namespace bitnet {

Session::Session(Decoder& decoder, std::int64_t context_size, KvType kv, HybridMemoryPool& pool)
    : decoder_(&decoder), cache_(decoder.config(), context_size, kv, pool) {}

void Session::append(std::span<const std::int32_t> ids, const PrefillProgress& progress) {
  const profile::Span span("prefill");
  read(ids, progress);
}

void Session::read(std::span<const std::int32_t> ids, const PrefillProgress& progress) {
  const auto total = static_cast<std::int64_t>(ids.size());
  if (cache_.size() + total > cache_.max_positions())
    fail(Errc::invalid_argument, "the prompt has " + std::to_string(total) +
                                     " tokens, the context has room for " +
                                     std::to_string(cache_.max_positions() - cache_.size()));
  for (const std::int32_t id : ids)
    if (id < 0 || id >= decoder_->config().vocab_size)
      fail(Errc::invalid_argument, "token id " + std::to_string(id) +
                                       " is outside the vocabulary of " +
                                       std::to_string(decoder_->config().vocab_size));
  cache_.reserve(cache_.size() + total);
  for (std::int64_t done = 0; done < total;) {
    const std::int64_t count = std::min(Decoder::kPromptChunk, total - done);
    const auto chunk = ids.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(count));
    logits_valid_ = false;
    hidden_.clear();
    const MatrixView<const float> hidden = decoder_->forward(chunk, cache_);
    tokens_.insert(tokens_.end(), chunk.begin(), chunk.end());
    done += count;
    if (done == total) hidden_.assign(hidden.row(count - 1), hidden.row(count - 1) + hidden.cols);
    if (progress) progress(done, total);
  }
}

MatrixView<const float> Session::hidden() const {
  const auto cols = static_cast<std::int64_t>(hidden_.size());
  return {hidden_.data(), 1, cols, cols};
}

std::span<const float> Session::logits() {
  require(!hidden_.empty(), "Session::logits: no token was read since the start or truncate()");
  if (!logits_valid_) {
    logits_.resize(static_cast<std::size_t>(decoder_->config().vocab_size));
    const auto vocab = static_cast<std::int64_t>(logits_.size());
    decoder_->logits(hidden(), {logits_.data(), 1, vocab, vocab});
    logits_valid_ = true;
  }
  return logits_;
}

// Reads a token and, behind it, a guess at what follows. The cache holds the guess too but counts
// the token alone: what is not accepted is overwritten.
void Session::read_ahead(std::int32_t token, std::vector<std::int32_t> draft, Ahead& ahead) {
  std::vector<std::int32_t> ids{token};
  ids.insert(ids.end(), draft.begin(), draft.end());
  logits_valid_ = false;
  hidden_.clear();
  const MatrixView<const float> hidden = decoder_->forward(ids, cache_);
  tokens_.push_back(token);
  cache_.resize(static_cast<std::int64_t>(tokens_.size()));
  ahead.hidden.clear();
  for (std::int64_t row = 0; row < hidden.rows; ++row)
    ahead.hidden.insert(ahead.hidden.end(), hidden.row(row), hidden.row(row) + hidden.cols);
  hidden_.assign(hidden.row(0), hidden.row(0) + hidden.cols);
  draft_counts_.drafted += static_cast<std::int64_t>(draft.size());
  ahead.draft = std::move(draft);
  ahead.accepted = 0;
}

// The next token of the draft becomes the last one read.
void Session::accept(Ahead& ahead) {
  tokens_.push_back(ahead.draft[ahead.accepted++]);
  cache_.resize(static_cast<std::int64_t>(tokens_.size()));
  const auto row =
      ahead.hidden.begin() + static_cast<std::ptrdiff_t>(ahead.accepted * hidden_.size());
  std::copy_n(row, hidden_.size(), hidden_.begin());
  logits_valid_ = false;
  ++draft_counts_.accepted;
}

// What the sampler needs of every row, each as if the draft before it had become the text.
void Session::find_logits(const Sampler& sampler, Ahead& ahead) {
  const auto vocab = decoder_->config().vocab_size;
  const auto cols = static_cast<std::int64_t>(hidden_.size());
  const std::size_t count = 1 + ahead.draft.size();
  const auto rows = static_cast<std::int64_t>(count);
  std::vector<std::int32_t> drafted;
  if (!ahead.draft.empty()) {
    drafted = tokens_;
    drafted.insert(drafted.end(), ahead.draft.begin(), ahead.draft.end());
  }
  const std::span<const std::int32_t> text = ahead.draft.empty() ? tokens_ : drafted;
  std::vector<Sampler::Needs> needs;
  std::vector<WantedLogits> wanted;
  for (std::size_t i = 0; i < count; ++i)
    needs.push_back(sampler.needs(text.first(tokens_.size() + i)));
  for (const Sampler::Needs& n : needs) wanted.push_back({n.largest, n.penalized});
  ahead.logits.resize(count * static_cast<std::size_t>(vocab));
  const MatrixView<const float> hidden{ahead.hidden.data(), rows, cols, cols};
  const MatrixView<float> out{ahead.logits.data(), rows, vocab, vocab};
  if (needs[0].largest > 0)  // of all rows or of none
    decoder_->top_logits(hidden, wanted, out);
  else
    decoder_->logits(hidden, out);
}

// Nothing behind a stop token, behind the last token that may be written, or beyond the context.
// Twice as long as a draft that was right, one longer than what was right of a wrong one: where
// arithmetic is the limit, each wrong token costs as much as one that is written.
std::vector<std::int32_t> Session::draft_after(std::int32_t token, const GenerateOptions& options,
                                               std::int64_t count, Ahead& ahead) const {
  const auto accepted = static_cast<std::int64_t>(ahead.accepted);
  if (!ahead.draft.empty())
    ahead.most = ahead.accepted == ahead.draft.size() ? 2 * accepted : accepted + 1;
  ahead.most = std::min(ahead.most, options.max_draft);
  std::int64_t most = std::min(ahead.most, cache_.max_positions() - cache_.size() - 1);
  if (options.max_tokens >= 0) most = std::min(most, options.max_tokens - count - 1);
  if (most <= 0) return {};
  std::vector<std::int32_t> text(tokens_);
  text.push_back(token);
  std::vector<std::int32_t> draft = draft_from(text, most);
  draft.erase(std::find_first_of(draft.begin(), draft.end(), options.stop_tokens.begin(),
                                 options.stop_tokens.end()),
              draft.end());
  return draft;
}

StopReason Session::generate(const GenerateOptions& options, const OnToken& on_token) {
  require(!hidden_.empty(), "Session::generate: the prompt is empty");
  require(options.max_draft >= 0 && options.max_draft <= GenerateOptions::kMaxDraft,
          "Session::generate: a draft has 0 to 64 tokens");
  Sampler sampler(options.sampling);
  const auto vocab = static_cast<std::size_t>(decoder_->config().vocab_size);
  draft_counts_ = {};
  Ahead ahead;
  ahead.hidden = hidden_;
  ahead.most = options.max_draft;
  for (std::int64_t count = 0;;) {
    if (options.max_tokens >= 0 && count >= options.max_tokens) return StopReason::max_tokens;
    const profile::Span step("decode step");
    if (ahead.accepted == 0) find_logits(sampler, ahead);
    const std::int32_t token = [&] {
      const profile::Span span("sampling");
      return sampler.next(std::span(ahead.logits).subspan(ahead.accepted * vocab, vocab), tokens_);
    }();
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), token) !=
        options.stop_tokens.end())
      return StopReason::stop_token;
    const bool go_on = [&] {
      const profile::Span span("on_token");
      return on_token(token);
    }();
    ++count;
    if (cache_.size() >= cache_.max_positions()) return StopReason::context_full;
    if (!go_on) return StopReason::cancelled;
    if (options.max_tokens >= 0 && count >= options.max_tokens) return StopReason::max_tokens;
    if (ahead.accepted < ahead.draft.size() && ahead.draft[ahead.accepted] == token)
      accept(ahead);
    else
      read_ahead(token, draft_after(token, options, count, ahead), ahead);
  }
}

void Session::truncate(std::int64_t count) {
  require(count >= 0 && count <= static_cast<std::int64_t>(tokens_.size()),
          "Session::truncate: more tokens than were read");
  cache_.resize(count);
  tokens_.resize(static_cast<std::size_t>(count));
  logits_valid_ = false;
  hidden_.clear();
}

}  // namespace bitnet
