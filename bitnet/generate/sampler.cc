// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/math.h"

namespace bitnet {
namespace {

void check(bool good, const char* option, double value, const char* range) {
  if (!good)
    fail(Errc::invalid_argument,
         std::string(option) + " is " + std::to_string(value) + ", expected " + range);
}

}  // namespace

void validate(const SamplingOptions& o) {
  check(o.temperature >= 0 && std::isfinite(o.temperature), "--temp", o.temperature, "0 or more");
  check(o.top_k >= 0, "--top-k", static_cast<double>(o.top_k), "0 (all) or more");
  check(o.top_p >= 0 && o.top_p <= 1, "--top-p", o.top_p, "0 to 1");
  check(o.min_p >= 0 && o.min_p <= 1, "--min-p", o.min_p, "0 to 1");
  check(o.repeat_penalty > 0 && std::isfinite(o.repeat_penalty), "--repeat-penalty",
        o.repeat_penalty, "more than 0 (1: none)");
  check(o.repeat_last_n >= -1, "--repeat-last-n", static_cast<double>(o.repeat_last_n),
        "-1 (all) or more");
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {
  validate(options);
}

std::int32_t Sampler::next(std::span<float> logits, std::span<const std::int32_t> history) {
  penalize(logits, history);
  for (float& logit : logits)
    if (std::isnan(logit)) logit = -INFINITY;
  const auto best = std::max_element(logits.begin(), logits.end());
  if (best == logits.end() || *best == -INFINITY)
    fail(Errc::internal, "sampler: the model's logits are not numbers");
  // Infinity is an overflow: no probability can be formed with it.
  if (options_.temperature == 0.0f || *best == INFINITY)
    return static_cast<std::int32_t>(best - logits.begin());
  keep_top_k(logits);
  keep_top_p();
  keep_min_p();
  return draw();
}

Sampler::Needs Sampler::needs(std::span<const std::int32_t> history) const {
  Needs needs{0, penalized(history)};
  const std::int64_t kept = options_.temperature == 0.0f ? 1 : options_.top_k;
  // Penalties may push so many of the largest down.
  if (kept > 0) needs.largest = kept + static_cast<std::int64_t>(needs.penalized.size());
  return needs;
}

std::vector<std::int32_t> Sampler::penalized(std::span<const std::int32_t> history) const {
  if (options_.repeat_penalty == 1.0f) return {};
  if (options_.repeat_last_n >= 0)
    history =
        history.last(std::min(history.size(), static_cast<std::size_t>(options_.repeat_last_n)));
  std::vector<std::int32_t> seen(history.begin(), history.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  return seen;
}

// llama.cpp's rule: a positive logit is divided, a negative one multiplied, once per token.
void Sampler::penalize(std::span<float> logits, std::span<const std::int32_t> history) const {
  for (const std::int32_t id : penalized(history)) {
    if (id < 0 || static_cast<std::size_t>(id) >= logits.size())
      fail(Errc::invalid_argument, "sampler: token id " + std::to_string(id) +
                                       " of the history is outside the vocabulary of " +
                                       std::to_string(logits.size()));
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
  }
}

// Leaves candidates_ sorted, likeliest first.
void Sampler::keep_top_k(std::span<const float> logits) {
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] != -INFINITY) candidates_.push_back({logits[i], static_cast<std::int32_t>(i)});
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const std::size_t k =
      options_.top_k == 0 ? candidates_.size()
                          : std::min(candidates_.size(), static_cast<std::size_t>(options_.top_k));
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(k),
                    candidates_.end(), likelier);
  candidates_.resize(k);
}

void Sampler::keep_top_p() {
  if (options_.top_p >= 1.0f) return;
  double total = 0.0;
  weights_.clear();
  for (const Candidate& c : candidates_) {
    weights_.push_back(det_exp(static_cast<double>(c.logit - candidates_[0].logit)));
    total += weights_.back();
  }
  const double wanted = static_cast<double>(options_.top_p) * total;
  double sum = 0.0;
  std::size_t keep = 0;
  while (keep < candidates_.size() && (keep == 0 || sum < wanted)) sum += weights_[keep++];
  candidates_.resize(keep);
}

void Sampler::keep_min_p() {
  if (options_.min_p <= 0.0f) return;
  const double floor =
      static_cast<double>(candidates_[0].logit) + det_log(static_cast<double>(options_.min_p));
  while (candidates_.size() > 1 && static_cast<double>(candidates_.back().logit) < floor)
    candidates_.pop_back();
}

std::int32_t Sampler::draw() {
  const double best = static_cast<double>(candidates_[0].logit);
  double total = 0.0;
  weights_.clear();
  for (const Candidate& c : candidates_) {
    weights_.push_back(
        det_exp((static_cast<double>(c.logit) - best) / static_cast<double>(options_.temperature)));
    total += weights_.back();
  }
  const double point = static_cast<double>(random_() >> 11) * 0x1p-53 * total;
  double sum = 0.0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    sum += weights_[i];
    if (point < sum) return candidates_[i].id;
  }
  return candidates_.back().id;  // rounding of the sums
}

}  // namespace bitnet
