// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/generate/test_model.h"

namespace bitnet {
namespace {

using Ids = std::vector<std::int32_t>;

class SessionTest : public ::testing::Test {
 protected:
  static std::vector<float> copy(std::span<const float> values) {
    return {values.begin(), values.end()};
  }

  template <class Call>
  static void expect_refused(Call&& call, const char* word) {
    try {
      call();
      ADD_FAILURE() << "not refused: " << word;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument) << e.what();
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
  }

  static Ids generate(Session& session, const GenerateOptions& options, StopReason expected) {
    Ids out;
    EXPECT_EQ(session.generate(options,
                               [&](std::int32_t token) {
                                 out.push_back(token);
                                 return true;
                               }),
              expected);
    return out;
  }

  TestModel model_;
  Decoder decoder_ = model_.decoder();
};

TEST_F(SessionTest, LogitsAreThoseOfTheDecoder) {
  Session session(decoder_, 16);
  const Ids ids{3, 1, 4, 1, 5, 9};
  session.append(ids);
  KvCache cache(decoder_.config(), 16);
  Decoder other = model_.decoder();
  const auto hidden = other.forward(ids, cache);
  std::vector<float> expected(TestModel::kVocab);
  other.logits(hidden.rows_from(5, 1), {expected.data(), 1, TestModel::kVocab, TestModel::kVocab});
  EXPECT_EQ(copy(session.logits()), expected);
}

TEST_F(SessionTest, GreedyTokensAreTheLargestLogitsOfEachStep) {
  Session session(decoder_, 32), check(decoder_, 32);
  session.append(Ids{7});
  check.append(Ids{7});
  GenerateOptions options;
  options.max_tokens = 10;
  for (const std::int32_t token : generate(session, options, StopReason::max_tokens)) {
    const auto logits = check.logits();
    EXPECT_EQ(token, std::max_element(logits.begin(), logits.end()) - logits.begin());
    check.append(Ids{token});
  }
  EXPECT_EQ(session.tokens().size(), 10u);  // the last token is written, not yet read
}

TEST_F(SessionTest, AScreenedHeadWritesTheSameTokens) {
  TestModel large(5000);
  Decoder full = large.decoder(), screened = large.decoder();
  screened.screen_head(0);
  ASSERT_NE(screened.head_screen(), nullptr);
  GenerateOptions options;
  options.max_tokens = 50;  // more than Decoder::kSketchCalls: with every part of the sketch
  for (const float temperature : {0.0f, 0.8f, 5.0f})
    for (const std::int64_t top_k : {1, 40, 0})
      for (const float penalty : {1.0f, 1.3f, 0.7f}) {
        options.sampling.temperature = temperature;
        options.sampling.top_k = top_k;
        options.sampling.repeat_penalty = penalty;
        options.sampling.repeat_last_n = penalty < 1 ? -1 : 8;
        options.sampling.seed += 1;
        // Every type of cache in turn: a screened head sees none of it.
        const auto kv = static_cast<KvType>(options.sampling.seed % 3);
        Session one(full, 64, kv), other(screened, 64, kv);
        ASSERT_EQ(one.kv_type(), kv);
        one.append(Ids{7, 8, 9});
        other.append(Ids{7, 8, 9});
        ASSERT_EQ(generate(one, options, StopReason::max_tokens),
                  generate(other, options, StopReason::max_tokens))
            << temperature << " " << top_k << " " << penalty;
        EXPECT_EQ(copy(one.logits()), copy(other.logits()));
      }
  EXPECT_EQ(screened.head_screen()->sketched_rows(), 5000);
  EXPECT_EQ(decoder_.head_screen(), nullptr);
  decoder_.screen_head(0);
  EXPECT_EQ(decoder_.head_screen(), nullptr) << "a head of 50 rows gains nothing";
}

TEST_F(SessionTest, StopsForEveryReason) {
  Session session(decoder_, 12);
  session.append(Ids{7, 8});
  GenerateOptions options;
  options.max_tokens = 5;
  const Ids five = generate(session, options, StopReason::max_tokens);
  ASSERT_EQ(five.size(), 5u);

  session.truncate(1);
  session.append(Ids{8});
  options.max_tokens = -1;
  options.stop_tokens = {49, five[3]};
  const auto first = std::find(five.begin(), five.end(), five[3]);
  EXPECT_EQ(generate(session, options, StopReason::stop_token), Ids(five.begin(), first));

  session.truncate(1);
  session.append(Ids{8});
  options.stop_tokens = {};
  const Ids full = generate(session, options, StopReason::context_full);
  EXPECT_EQ(full.size(), 11u);  // ten fit, and one more is known
  EXPECT_EQ(session.tokens().size(), 12u);

  session.truncate(1);
  session.append(Ids{8});
  EXPECT_EQ(session.generate(options, [](std::int32_t) { return false; }), StopReason::cancelled);
  EXPECT_EQ(session.tokens().size(), 2u);

  options.max_tokens = 0;
  EXPECT_TRUE(generate(session, options, StopReason::max_tokens).empty());
}

TEST_F(SessionTest, RefusalsLeaveTheSessionUsable) {
  Session session(decoder_, 8);
  expect_refused([&] { session.logits(); }, "no token");
  expect_refused([&] { generate(session, {}, StopReason::max_tokens); }, "prompt is empty");
  session.append(Ids{1, 2, 3});
  const auto expected = copy(session.logits());
  const auto unchanged = [&] {
    EXPECT_EQ(copy(session.logits()), expected);
    EXPECT_TRUE(std::ranges::equal(session.tokens(), Ids{1, 2, 3}));
  };
  expect_refused([&] { session.append(Ids(6, 1)); }, "room for 5");
  unchanged();
  for (const std::int32_t bad : {-1, 50, 1 << 30}) {
    expect_refused([&] { session.append(Ids{4, bad}); }, "outside the vocabulary");
    unchanged();
  }
  expect_refused([&] { session.truncate(4); }, "truncate");
  expect_refused([&] { session.truncate(-1); }, "truncate");
  unchanged();
  session.append(Ids{});
  unchanged();
  session.append(Ids(5, 1));
  expect_refused([&] { session.append(Ids{1}); }, "room for 0");

  session.truncate(2);
  expect_refused([&] { session.logits(); }, "truncate");
  session.append(Ids{3});
  unchanged();
}

TEST_F(SessionTest, ProgressCountsUpToTheEnd) {
  Session session(decoder_, 40);
  std::int64_t last = 0;
  session.append(Ids(33, 5), [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, 33);
    last = done;
  });
  EXPECT_EQ(last, 33);
}

TEST_F(SessionTest, AContextIsAtLeastOneAndAtMostTheModels) {
  for (const std::int64_t size : {std::int64_t{0}, std::int64_t{-1}, TestModel::kPositions + 1})
    expect_refused([&] { Session(decoder_, size); }, "1 to 64");
  EXPECT_EQ(Session(decoder_, TestModel::kPositions).context_size(), TestModel::kPositions);
}

TEST_F(SessionTest, TheDecoderRefusesWhatDoesNotFitAndKeepsTheCache) {
  KvCache cache(decoder_.config(), 4);
  decoder_.forward(Ids{1, 2}, cache);
  EXPECT_THROW(decoder_.forward(Ids{}, cache), Error);
  EXPECT_THROW(decoder_.forward(Ids{1, 2, 3}, cache), Error);
  EXPECT_THROW(decoder_.forward(Ids{1, 50}, cache), Error);
  EXPECT_EQ(cache.size(), 2);
  const auto hidden = decoder_.forward(Ids{3, 4}, cache);
  const std::vector<float> row(hidden.row(1), hidden.row(1) + hidden.cols);
  KvCache fresh(decoder_.config(), 4);
  const auto whole = decoder_.forward(Ids{1, 2, 3, 4}, fresh);
  EXPECT_EQ(row, std::vector<float>(whole.row(3), whole.row(3) + whole.cols));
}

TEST_F(SessionTest, TheDecoderRefusesTextsThatCannotBeReadTogetherAndKeepsTheCaches) {
  KvCache a(decoder_.config(), 4), b(decoder_.config(), 4);
  const Ids one{1}, two{2, 3}, five{1, 2, 3, 4, 5}, wrong{50}, none;
  using Parts = std::vector<TextPart>;
  const auto refused = [&](const Parts& parts, const char* message) {
    expect_refused([&] { decoder_.forward(parts); }, message);
    EXPECT_EQ(a.size() + b.size(), 0);
  };
  refused({}, "1 to 512 tokens");
  refused({{one, &a}, {none, &b}}, "at least one of each text");
  refused({{one, &a}, {two, &a}}, "two texts have one cache");
  refused({{one, &a}, {five, &b}}, "5");
  refused({{one, &a}, {wrong, &b}}, "50");
  const Ids many(Decoder::kMaxChunk, 1);
  refused({{one, &a}, {many, &b}}, "1 to 512 tokens");
  decoder_.forward(Parts{{one, &a}, {two, &b}});
  EXPECT_EQ(a.size(), 1);
  EXPECT_EQ(b.size(), 2);
}

}  // namespace
}  // namespace bitnet
