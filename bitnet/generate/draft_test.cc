// SPDX-License-Identifier: MIT OR Apache-2.0
// Drafts change the time of a text and nothing else.
#include <gtest/gtest.h>

#include <algorithm>

#include "bitnet/base/error_testing.h"
#include "bitnet/generate/session.h"
#include "bitnet/generate/test_model.h"

namespace bitnet {
namespace {

using Ids = std::vector<std::int32_t>;

// All that a caller sees of a text.
struct Seen {
  Ids written, read;
  StopReason stop;
  std::vector<float> next;  // logits after it
  bool operator==(const Seen&) const = default;
};

class DraftTest : public ::testing::Test {
 protected:
  // Stops by on_token after `most` tokens.
  Seen write(Session& session, const GenerateOptions& options, std::size_t most = 1000) {
    Seen seen;
    seen.stop = session.generate(options, [&](std::int32_t token) {
      seen.written.push_back(token);
      EXPECT_EQ(session.tokens().size(), before_ + seen.written.size() - 1) << "what was accepted";
      return seen.written.size() < most;
    });
    seen.read.assign(session.tokens().begin(), session.tokens().end());
    seen.next.assign(session.logits().begin(), session.logits().end());
    drafted_ += session.draft_counts().drafted;
    accepted_ += session.draft_counts().accepted;
    return seen;
  }

  // The text with drafts of 1 to `longest` tokens equals the one without.
  void check(Decoder& decoder, const Ids& prompt, GenerateOptions options, std::int64_t context,
             std::size_t most = 1000, const std::vector<std::int64_t>& drafts = {1, 2, 3, 7, 20}) {
    const auto run = [&](std::int64_t draft) {
      Session session(decoder, context);
      session.append(prompt);
      before_ = prompt.size();
      options.max_draft = draft;
      return write(session, options, most);
    };
    const Seen expected = run(0);
    for (const std::int64_t draft : drafts) {
      const Seen seen = run(draft);
      ASSERT_EQ(seen.written, expected.written) << "draft " << draft;
      ASSERT_TRUE(seen == expected) << "draft " << draft;
    }
  }

  static Ids repeating(std::int64_t count, std::int32_t period) {
    Ids ids;
    for (std::int32_t i = 0; i < count; ++i) ids.push_back((i % period) * 7 % 50);
    return ids;
  }

  std::size_t before_ = 0;
  std::int64_t drafted_ = 0, accepted_ = 0;
  TestModel model_, large_{5000};
};

TEST_F(DraftTest, GreedyTextsAreEqual) {
  Decoder decoder = model_.decoder();
  for (std::int32_t i = 0; i < 12; ++i) {
    Ids prompt = repeating(4 + i, 2 + i % 4);
    prompt.insert(prompt.begin(), i);
    check(decoder, prompt, {}, TestModel::kPositions);
  }
  EXPECT_GT(accepted_, 500) << "of " << drafted_;
  EXPECT_GT(drafted_, accepted_) << "some must have been wrong";
}

TEST_F(DraftTest, SampledTextsAreEqualWithEveryFilterAndPenalty) {
  Decoder full = large_.decoder(), screened = large_.decoder();
  screened.screen_head(0);
  struct Penalty {
    float factor;
    std::int64_t last;
  };
  GenerateOptions options;
  options.max_tokens = 16;
  const Ids prompt{3, 4, 5, 3, 4, 5, 3, 4};
  for (const float temperature : {0.0f, 1.0f})
    // Below 1 recent tokens become likelier, also those that are not among the largest logits.
    for (const auto [factor, last] : {Penalty{1.0f, 0}, {1.2f, 5}, {0.8f, -1}, {0.2f, 3}})
      for (const std::int64_t top_k : {0, 3}) {
        options.sampling.temperature = temperature;
        options.sampling.repeat_penalty = factor;
        options.sampling.repeat_last_n = last;
        options.sampling.top_k = top_k;
        options.sampling.top_p = top_k == 0 ? 1.0f : 0.9f;
        ++options.sampling.seed;
        const bool all = top_k == 0 && temperature > 0;
        check(all ? full : screened, prompt, options, TestModel::kPositions, 1000, {9});
      }
  EXPECT_GT(accepted_, 10) << "of " << drafted_;
  EXPECT_GT(drafted_, accepted_);
}

// What is likelier because it was just written may be a token of the draft itself, and none of the
// largest logits.
TEST_F(DraftTest, EachTokenOfADraftHasThePenaltiesOfItsPlace) {
  Decoder screened = large_.decoder();
  screened.screen_head(0);
  GenerateOptions options;
  options.max_tokens = 40;
  options.sampling = {.temperature = 1.5f, .top_k = 2, .top_p = 1.0f, .min_p = 0.0f};
  options.sampling.repeat_penalty = 0.2f;
  options.sampling.repeat_last_n = 2;
  for (const std::int32_t i : {0, 8, 24, 38}) {
    Ids prompt = repeating(10, 2 + i % 6);
    prompt.insert(prompt.begin(), i);
    options.sampling.seed = static_cast<std::uint64_t>(i);
    check(screened, prompt, options, TestModel::kPositions, 1000, {7});
  }
  EXPECT_GT(accepted_, 10) << "of " << drafted_;
}

// The text that the greedy tests end in repeats itself, so every end falls into a draft.
TEST_F(DraftTest, EveryEndOfATextIsTheSameWithinADraft) {
  Decoder decoder = model_.decoder();
  const Ids prompt = repeating(8, 3);
  Session session(decoder, TestModel::kPositions);
  session.append(prompt);
  before_ = prompt.size();
  const Ids whole = write(session, {}).written;
  for (std::int64_t end = 0; end < 40; end += 3) {
    GenerateOptions options;
    options.max_tokens = end;
    check(decoder, prompt, options, TestModel::kPositions);
    check(decoder, prompt, {}, 8 + end);
    check(decoder, prompt, {}, TestModel::kPositions, static_cast<std::size_t>(end + 1));
    options.max_tokens = 40;
    options.stop_tokens = {49, whole[static_cast<std::size_t>(end)]};
    check(decoder, prompt, options, TestModel::kPositions);
  }
  EXPECT_GT(accepted_, 500) << "of " << drafted_;
}

TEST_F(DraftTest, AWrongDraftLeavesNothingInTheCache) {
  Decoder decoder = model_.decoder();
  for (std::int32_t first = 0; first < 6; ++first) {
    Session session(decoder, TestModel::kPositions), plain(decoder, TestModel::kPositions);
    const auto both = [&](const Ids& ids) {
      GenerateOptions options;
      session.append(ids);
      plain.append(ids);
      options.max_tokens = 12;
      before_ = plain.tokens().size();
      const Seen expected = write(plain, options);
      options.max_draft = 8;
      ASSERT_TRUE(write(session, options) == expected);
    };
    both(repeating(8 + first, 3));
    // What was accepted is followed by what the model would not write, then drafted again.
    for (std::int32_t i = 0; i < 2; ++i) both({first, i});
  }
  EXPECT_GT(accepted_, 20);
  EXPECT_GT(drafted_, accepted_);
}

TEST_F(DraftTest, CountsAreOfTheLastText) {
  Decoder decoder = model_.decoder();
  Session session(decoder, TestModel::kPositions);
  session.append(repeating(12, 3));
  GenerateOptions options;
  options.max_draft = 4;
  session.generate(options, [](std::int32_t) { return true; });
  const DraftCounts counts = session.draft_counts();
  EXPECT_GT(counts.accepted, 0);
  EXPECT_GE(counts.drafted, counts.accepted);
  EXPECT_LE(counts.accepted, 64 - 12);
  options.max_draft = 0;
  session.truncate(5);
  session.append(Ids{1});
  session.generate(options, [](std::int32_t) { return true; });
  EXPECT_EQ(session.draft_counts().drafted, 0);
  EXPECT_EQ(session.draft_counts().accepted, 0);
  for (const std::int64_t bad : {std::int64_t{-1}, GenerateOptions::kMaxDraft + 1}) {
    options.max_draft = bad;
    EXPECT_EQ(code_of([&] { session.generate(options, [](std::int32_t) { return true; }); }),
              Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace bitnet
