// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

// All filters off.
SamplingOptions plain(float temperature) {
  SamplingOptions o;
  o.temperature = temperature;
  o.top_k = 0;
  o.top_p = 1.0f;
  o.min_p = 0.0f;
  return o;
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
  const double best = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<double> p;
  double sum = 0.0;
  for (const float logit : logits) {
    p.push_back(std::exp((static_cast<double>(logit) - best) / temperature));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

std::map<std::int32_t, int> draw(const SamplingOptions& options, const std::vector<float>& logits,
                                 int count, std::span<const std::int32_t> history = {}) {
  Sampler sampler(options);
  std::map<std::int32_t, int> seen;
  for (int i = 0; i < count; ++i) {
    std::vector<float> scratch = logits;
    ++seen[sampler.next(scratch, history)];
  }
  return seen;
}

std::set<std::int32_t> ids_of(const std::map<std::int32_t, int>& seen) {
  std::set<std::int32_t> ids;
  for (const auto& [id, count] : seen) ids.insert(id);
  return ids;
}

// Ids ordered as the filters order them.
std::vector<std::int32_t> by_likelihood(const std::vector<float>& logits) {
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  return ids;
}

const std::vector<float> kLogits{0.5f, 2.0f, -1.0f, 2.0f, 1.0f, 0.0f, 1.5f, -0.5f};
constexpr int kDraws = 20000;

TEST(Sampler, GreedyTakesTheLargestAndOfEqualsTheLowest) {
  EXPECT_EQ(draw(plain(0.0f), kLogits, 3), (std::map<std::int32_t, int>{{1, 3}}));
}

// 20,000 draws: a count's standard deviation is below 71, so that 5 of them are below 355.
TEST(Sampler, DrawsFollowTheProbabilities) {
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    const auto seen = draw(plain(temperature), kLogits, kDraws);
    const auto p = softmax(kLogits, static_cast<double>(temperature));
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto found = seen.find(static_cast<std::int32_t>(i));
      const double count = found == seen.end() ? 0 : found->second;
      EXPECT_NEAR(count, p[i] * kDraws, 5 * std::sqrt(p[i] * kDraws) + 1)
          << "id " << i << " at temperature " << temperature;
    }
  }
}

TEST(Sampler, TopKKeepsTheKLikeliest) {
  const auto order = by_likelihood(kLogits);
  for (std::size_t k = 1; k <= kLogits.size() + 1; ++k) {
    SamplingOptions o = plain(3.0f);
    o.top_k = static_cast<std::int64_t>(k);
    const auto last = order.begin() + static_cast<std::ptrdiff_t>(std::min(k, order.size()));
    EXPECT_EQ(ids_of(draw(o, kLogits, kDraws)), std::set<std::int32_t>(order.begin(), last)) << k;
  }
}

// The filters see the model's own probabilities: temperature comes last.
TEST(Sampler, TopPKeepsTheFewestThatAddUpToIt) {
  const auto order = by_likelihood(kLogits);
  const auto p = softmax(kLogits, 1.0);
  for (const float top_p : {0.0f, 0.1f, 0.3f, 0.5f, 0.7f, 0.9f, 0.97f, 1.0f}) {
    SamplingOptions o = plain(3.0f);
    o.top_p = top_p;
    std::set<std::int32_t> kept;
    double sum = 0.0;
    for (const std::int32_t id : order) {
      if (!kept.empty() && sum >= static_cast<double>(top_p)) break;
      kept.insert(id);
      sum += p[static_cast<std::size_t>(id)];
    }
    EXPECT_EQ(ids_of(draw(o, kLogits, kDraws)), kept) << top_p;
  }
}

TEST(Sampler, MinPKeepsThoseNotFarBelowTheBest) {
  const auto p = softmax(kLogits, 1.0);
  const double best = *std::max_element(p.begin(), p.end());
  for (const float min_p : {0.0f, 0.01f, 0.06f, 0.2f, 0.5f, 0.9f, 1.0f}) {
    SamplingOptions o = plain(3.0f);
    o.min_p = min_p;
    std::set<std::int32_t> kept;
    for (std::size_t i = 0; i < p.size(); ++i)
      if (p[i] >= static_cast<double>(min_p) * best * (1 - 1e-12))
        kept.insert(static_cast<std::int32_t>(i));
    EXPECT_EQ(ids_of(draw(o, kLogits, kDraws)), kept) << min_p;
  }
}

TEST(Sampler, ThePenaltyDividesPositiveAndMultipliesNegativeLogitsOnce) {
  SamplingOptions o;  // greedy
  o.repeat_penalty = 2.0f;
  const std::int32_t once[] = {1}, twice[] = {1, 1, 3};
  EXPECT_EQ(draw(o, kLogits, 1, once).begin()->first, 3);   // 2.0 becomes 1.0
  EXPECT_EQ(draw(o, kLogits, 1, twice).begin()->first, 6);  // 1.5 is left
  const std::vector<float> negative{-1.0f, -1.5f, -1.9f};
  const std::int32_t first[] = {0};
  EXPECT_EQ(draw(o, negative, 1, first).begin()->first, 1);  // -1.0 becomes -2.0
  // Twice in the history is penalized once: 4 / 2 = 2 stays above 1.5, 4 / 4 would not.
  EXPECT_EQ(draw(o, {4.0f, 1.5f}, 1, std::array{0, 0}).begin()->first, 0);
}

TEST(Sampler, ThePenaltyReachesTheLastNTokens) {
  SamplingOptions o;
  o.repeat_penalty = 10.0f;
  const std::int32_t history[] = {1, 0, 0, 3};
  const std::vector<float> logits{0.0f, 5.0f, 4.0f, 6.0f};
  for (const auto& [n, expected] :
       {std::pair{0, 3}, std::pair{1, 1}, std::pair{3, 1}, std::pair{4, 2}, std::pair{-1, 2}}) {
    o.repeat_last_n = n;
    EXPECT_EQ(draw(o, logits, 1, history).begin()->first, expected) << n;
  }
}

TEST(Sampler, WhatIsNotANumberIsNeverChosen) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float temperature : {0.0f, 1.0f}) {
    EXPECT_EQ(ids_of(draw(plain(temperature), {nan, 1.0f, -inf, nan}, 50)),
              (std::set<std::int32_t>{1}));
    // An overflow is as likely as can be.
    EXPECT_EQ(ids_of(draw(plain(temperature), {0.0f, inf, 1.0f}, 50)), (std::set<std::int32_t>{1}));
    Sampler sampler(plain(temperature));
    std::vector<float> none{nan, -inf, nan}, empty;
    EXPECT_THROW(sampler.next(none, {}), Error);
    EXPECT_THROW(sampler.next(empty, {}), Error);
  }
}

TEST(Sampler, AHistoryOutsideTheVocabularyIsRefused) {
  SamplingOptions o;
  o.repeat_penalty = 1.5f;
  for (const std::int32_t id : {-1, 8, 1 << 30}) {
    std::vector<float> logits = kLogits;
    EXPECT_THROW(Sampler(o).next(logits, std::array{id}), Error) << id;
  }
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::pair<const char*, std::function<void(SamplingOptions&)>> cases[] = {
      {"--temp", [&](auto& o) { o.temperature = -1.0f; }},
      {"--temp", [&](auto& o) { o.temperature = nan; }},
      {"--temp", [&](auto& o) { o.temperature = inf; }},
      {"--top-k", [&](auto& o) { o.top_k = -1; }},
      {"--top-p", [&](auto& o) { o.top_p = 1.5f; }},
      {"--top-p", [&](auto& o) { o.top_p = nan; }},
      {"--min-p", [&](auto& o) { o.min_p = -0.1f; }},
      {"--repeat-penalty", [&](auto& o) { o.repeat_penalty = 0.0f; }},
      {"--repeat-penalty", [&](auto& o) { o.repeat_penalty = inf; }},
      {"--repeat-last-n", [&](auto& o) { o.repeat_last_n = -2; }},
  };
  for (const auto& [option, change] : cases) {
    SamplingOptions o;
    change(o);
    try {
      Sampler sampler(o);
      ADD_FAILURE() << option;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      EXPECT_NE(std::string(e.what()).find(option), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace bitnet
