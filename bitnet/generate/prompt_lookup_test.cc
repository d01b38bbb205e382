// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/prompt_lookup.h"

#include <gtest/gtest.h>

#include <random>

namespace bitnet {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(PromptLookup, WhatFollowedTheLastTokensBefore) {
  EXPECT_EQ(draft_from(Ids{1, 2, 3, 4, 9, 1, 2}, 2), (Ids{3, 4}));
  EXPECT_EQ(draft_from(Ids{1, 2, 3, 4, 9, 1, 2}, 1), (Ids{3}));
  EXPECT_EQ(draft_from(Ids{1, 2, 3, 1, 2, 4, 1, 2}, 1), (Ids{4})) << "the newest place";
  EXPECT_EQ(draft_from(Ids{7, 1, 2, 3, 1, 2, 4, 7, 1, 2}, 1), (Ids{3})) << "the longest match";
  EXPECT_EQ(draft_from(Ids{6, 7, 1, 2, 3, 7, 1, 2, 4, 6, 7, 1, 2}, 1), (Ids{3})) << "four";
  EXPECT_EQ(draft_from(Ids{5, 6, 7, 1, 2, 3, 6, 7, 1, 2, 4, 5, 6, 7, 1, 2}, 1), (Ids{4}))
      << "more than four do not count";
}

TEST(PromptLookup, ReadOnIntoItself) {
  EXPECT_EQ(draft_from(Ids{1, 2, 3, 1, 2}, 7), (Ids{3, 1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(draft_from(Ids{5, 5, 5}, 4), (Ids{5, 5, 5, 5}));
}

TEST(PromptLookup, NothingWithoutRepetition) {
  EXPECT_EQ(draft_from(Ids{}, 4), Ids{});
  EXPECT_EQ(draft_from(Ids{1, 1}, 4), Ids{});
  EXPECT_EQ(draft_from(Ids{1, 2, 3, 2, 5}, 4), Ids{});
  EXPECT_EQ(draft_from(Ids{1, 2, 9, 3, 2}, 4), Ids{}) << "one token is no match";
  EXPECT_EQ(draft_from(Ids{1, 2, 1, 2}, 0), Ids{});
}

// The definition, tried length by length and place by place.
TEST(PromptLookup, EqualsTheDefinition) {
  std::mt19937 random(1);
  int found = 0;
  for (int round = 0; round < 2000; ++round) {
    Ids text(random() % 40);
    for (std::int32_t& id : text) id = static_cast<std::int32_t>(random() % 4);
    const std::size_t size = text.size();
    Ids expected;
    for (std::size_t n = 4; n >= 2 && expected.empty(); --n)
      for (std::size_t end = size; end-- > n && expected.empty();)
        if (std::equal(text.end() - static_cast<std::ptrdiff_t>(n), text.end(),
                       text.begin() + static_cast<std::ptrdiff_t>(end - n)))
          for (std::size_t i = 0; i < 6; ++i)
            expected.push_back(end + i < size ? text[end + i] : expected[end + i - size]);
    ASSERT_EQ(draft_from(text, 6), expected) << round;
    found += !expected.empty();
  }
  EXPECT_GT(found, 500);
}

}  // namespace
}  // namespace bitnet
