// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/sites.h"

#include <gtest/gtest.h>

#include <thread>

namespace bitnet {
namespace {

using Stack = std::vector<std::uintptr_t>;

TEST(Sites, AStackHasOneNumber) {
  SiteTable table;
  EXPECT_EQ(table.intern(Stack{1, 2, 3}), 1u);
  EXPECT_EQ(table.intern(Stack{1, 2}), 2u);
  EXPECT_EQ(table.intern(Stack{1, 2, 3}), 1u);
  EXPECT_EQ(table.frames(2), (Stack{1, 2}));
  EXPECT_TRUE(table.frames(0).empty());
  EXPECT_TRUE(table.frames(3).empty());
  EXPECT_EQ(table.intern({}), 0u);
}

TEST(Sites, TheTableAndItsStacksAreBounded) {
  SiteTable table;
  for (std::uintptr_t i = 1; i <= SiteTable::kMaxSites; ++i) EXPECT_EQ(table.intern(Stack{i}), i);
  EXPECT_EQ(table.intern(Stack{99'999}), 0u);
  EXPECT_EQ(table.intern(Stack{5}), 5u);
  EXPECT_EQ(table.size(), SiteTable::kMaxSites);
  SiteTable deep;
  deep.intern(Stack(100, 7));
  EXPECT_EQ(deep.frames(1).size(), SiteTable::kMaxFrames);
}

TEST(Sites, ThreadsAgree) {
  SiteTable table;
  std::vector<Stack> numbers(4);
  std::vector<std::thread> threads;
  for (Stack& mine : numbers)
    threads.emplace_back([&] {
      for (std::uintptr_t i = 1; i < 300; ++i) mine.push_back(table.intern(Stack{i, i * i}));
    });
  for (auto& t : threads) t.join();
  for (const Stack& n : numbers) EXPECT_EQ(n, numbers[0]);
  EXPECT_EQ(table.size(), 299u);
}

}  // namespace
}  // namespace bitnet
