// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bitnet/base/error.h"
#include "bitnet/generate/test_model.h"

namespace bitnet {
namespace {

std::vector<std::int32_t> text(std::size_t count) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < count; ++i)
    ids.push_back(static_cast<std::int32_t>((i * i * 31 + 7 * i + 3) % TestModel::kVocab));
  return ids;
}

// The definition, token by token: a fresh context at every window.
double naive_nll(Decoder& decoder, std::span<const std::int32_t> ids, std::size_t window) {
  KvCache cache(decoder.config(), TestModel::kPositions);
  std::vector<float> logits(TestModel::kVocab);
  double sum = 0.0;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    if (i % window == 0) cache.clear();
    decoder.logits(decoder.forward(ids.subspan(i, 1), cache),
                   {logits.data(), 1, TestModel::kVocab, TestModel::kVocab});
    double total = 0.0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit));
    sum += std::log(total) - static_cast<double>(logits[static_cast<std::size_t>(ids[i + 1])]);
  }
  return sum / static_cast<double>(ids.size() - 1);
}

TEST(Perplexity, FollowsTheDefinition) {
  TestModel model;
  Decoder decoder = model.decoder();
  const auto ids = text(100);
  for (const std::size_t window : {1u, 7u, 33u, 64u}) {
    const Perplexity p = perplexity(decoder, ids, static_cast<std::int64_t>(window));
    EXPECT_NEAR(p.nll, naive_nll(decoder, ids, window), 1e-12) << window;
    EXPECT_NEAR(p.ppl, std::exp(p.nll), 1e-9);
    EXPECT_NEAR(p.first_window_nll, naive_nll(decoder, std::span(ids).first(window + 1), window),
                1e-12);
    EXPECT_EQ(p.tokens, 99);
  }
}

TEST(Perplexity, ATextShorterThanAWindowIsOneWindow) {
  TestModel model;
  Decoder decoder = model.decoder();
  const auto ids = text(10);
  const Perplexity p = perplexity(decoder, ids, 64);
  EXPECT_EQ(p.first_window_nll, p.nll);
  EXPECT_NEAR(p.nll, naive_nll(decoder, ids, 64), 1e-12);
}

TEST(Perplexity, ReportsProgressOfEveryWindow) {
  TestModel model;
  Decoder decoder = model.decoder();
  std::vector<std::int64_t> done;
  perplexity(decoder, text(26), 10, KvType::f32, [&](std::int64_t at, std::int64_t total) {
    done.push_back(at);
    EXPECT_EQ(total, 25);
  });
  EXPECT_EQ(done, (std::vector<std::int64_t>{10, 20, 25}));
}

TEST(Perplexity, RefusesWhatItCannotMeasure) {
  TestModel model;
  Decoder decoder = model.decoder();
  const auto ids = text(10);
  const std::int32_t bad[] = {1, 2, TestModel::kVocab}, negative[] = {1, -1};
  EXPECT_THROW(perplexity(decoder, std::span(ids).first(1), 4), Error);
  EXPECT_THROW(perplexity(decoder, {}, 4), Error);
  EXPECT_THROW(perplexity(decoder, ids, 0), Error);
  EXPECT_THROW(perplexity(decoder, ids, -1), Error);
  EXPECT_THROW(perplexity(decoder, ids, TestModel::kPositions + 1), Error);
  EXPECT_THROW(perplexity(decoder, bad, 4), Error);
  EXPECT_THROW(perplexity(decoder, negative, 4), Error);
}

TEST(NegativeLogLikelihood, IsExactWhereItIsKnown) {
  const float equal[] = {1.0f, 1.0f, 1.0f, 1.0f};
  EXPECT_NEAR(negative_log_likelihood(equal, 2), std::log(4.0), 1e-15);
  const float large[] = {1e4f, -1e4f, 9999.0f};  // exp would overflow
  EXPECT_NEAR(negative_log_likelihood(large, 0), std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(negative_log_likelihood(large, 1), 2e4 + std::log1p(std::exp(-1.0)), 1e-9);
}

}  // namespace
}  // namespace bitnet
