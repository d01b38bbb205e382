// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/session.h"

#include <algorithm>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/profile/profiler.h"

namespace bitnet {

Session::Session(Decoder& decoder, std::int64_t context_size, HybridMemoryPool& pool)
    : decoder_(&decoder), cache_(decoder.config(), context_size, pool) {}

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

StopReason Session::generate(const GenerateOptions& options, const OnToken& on_token) {
  require(!hidden_.empty(), "Session::generate: the prompt is empty");
  Sampler sampler(options.sampling);
  std::vector<float> scratch(static_cast<std::size_t>(decoder_->config().vocab_size));
  for (std::int64_t count = 0;; ++count) {
    if (options.max_tokens >= 0 && count >= options.max_tokens) return StopReason::max_tokens;
    const profile::Span step("decode step");
    const Sampler::Needs needs = sampler.needs(tokens_);
    if (needs.largest > 0)
      decoder_->top_logits(hidden(), needs.largest, needs.penalized, scratch);
    else
      std::copy_n(logits().begin(), scratch.size(), scratch.begin());
    const std::int32_t token = [&] {
      const profile::Span span("sampling");
      return sampler.next(scratch, tokens_);
    }();
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), token) !=
        options.stop_tokens.end())
      return StopReason::stop_token;
    const bool go_on = [&] {
      const profile::Span span("on_token");
      return on_token(token);
    }();
    if (cache_.size() >= cache_.max_positions()) return StopReason::context_full;
    if (!go_on) return StopReason::cancelled;
    if (options.max_tokens >= 0 && count + 1 >= options.max_tokens) return StopReason::max_tokens;
    read(std::span(&token, 1), {});
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
