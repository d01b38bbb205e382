// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/tags.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace bitnet {
namespace {

TEST(Tags, ScopesNestAndEachThreadHasItsOwn) {
  EXPECT_EQ(current_tag(), 0u);
  {
    const TagScope outer("tags_test.outer");
    EXPECT_EQ(tag_name(current_tag()), "tags_test.outer");
    {
      const TagScope inner("tags_test.inner");
      EXPECT_EQ(tag_name(current_tag()), "tags_test.inner");
      std::thread([] { EXPECT_EQ(current_tag(), 0u); }).join();
    }
    EXPECT_EQ(tag_name(current_tag()), "tags_test.outer");
  }
  EXPECT_EQ(current_tag(), 0u);
}

TEST(Tags, ANameHasOneIndexOnAllThreads) {
  std::vector<Tag> tags(8);
  std::vector<std::thread> threads;
  for (Tag& tag : tags)
    threads.emplace_back([&tag] {
      for (int i = 0; i < 50; ++i) tag = intern_tag("tags_test.shared" + std::to_string(i));
    });
  for (auto& t : threads) t.join();
  for (const Tag& tag : tags) EXPECT_EQ(tag, tags[0]);
  EXPECT_EQ(tag_name(tags[0].index), "tags_test.shared49");
}

/// In a process of its own: it leaves no name for the tests after it.
TEST(TagsDeathTest, NamesBeyondTheTableShareOne) {
  const auto fill = [] {
    for (int i = 0; i < kMaxTags; ++i) intern_tag("tags_test.many" + std::to_string(i));
    const Tag late = intern_tag("tags_test.too_late");
    const bool right = late.index == kMaxTags - 1 && tag_name(late.index) == "other" &&
                       intern_tag("untagged").index == 0 &&
                       tag_name(intern_tag("tags_test.many7").index) == "tags_test.many7";
    std::_Exit(right ? 0 : 1);
  };
  EXPECT_EXIT(fill(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bitnet
