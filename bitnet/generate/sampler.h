// SPDX-License-Identifier: MIT OR Apache-2.0
// Choosing the next token. The same seed gives the same choice on every machine and number of
// threads.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace bitnet {

/// Names and order as in llama.cpp: penalty, top-k, top-p, min-p, temperature.
struct SamplingOptions {
  float temperature = 0.0f;     // 0: greedy, the filters below do not matter
  std::int64_t top_k = 40;      // keep the k likeliest; 0: all
  float top_p = 0.95f;          // keep the likeliest whose probabilities add up to top_p; 1: all
  float min_p = 0.05f;          // keep those at least min_p times as likely as the best; 0: all
  float repeat_penalty = 1.0f;  // > 1 makes the last repeat_last_n tokens less likely
  std::int64_t repeat_last_n = 64;  // 0: none, -1: all
  std::uint64_t seed = 0;
};

/// Throws Error{invalid_argument} naming the option that is out of range.
void validate(const SamplingOptions& options);

class Sampler {
 public:
  /// Throws as validate().
  explicit Sampler(const SamplingOptions& options);

  /// The token after `history`. `logits` [vocab] are used as working memory. Equal logits: the
  /// lower id first. Throws Error{internal} where no logit is a number (a NaN must not become a
  /// token), {invalid_argument} for a penalized id outside the vocabulary.
  std::int32_t next(std::span<float> logits, std::span<const std::int32_t> history);

  /// Which logits decide what next() returns: the `largest` ones and those of `penalized`; where
  /// the others are -infinity it returns the same. largest 0: all.
  struct Needs {
    std::int64_t largest = 0;
    std::vector<std::int32_t> penalized;  // sorted
  };
  Needs needs(std::span<const std::int32_t> history) const;

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };
  std::vector<std::int32_t> penalized(std::span<const std::int32_t> history) const;
  void penalize(std::span<float> logits, std::span<const std::int32_t> history) const;
  void keep_top_k(std::span<const float> logits);
  void keep_top_p();
  void keep_min_p();
  std::int32_t draw();

  SamplingOptions options_;
  std::mt19937_64 random_;  // its sequence is fixed by the C++ standard
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace bitnet
