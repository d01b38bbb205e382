// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/lost_frees.h"

#include <gtest/gtest.h>

#include <thread>

namespace bitnet {
namespace {

TEST(LostFrees, HoldForTwoPasses) {
  LostFrees lost;
  EXPECT_FALSE(lost.end_pass());
  lost.note(0x1000);
  EXPECT_TRUE(lost.end_pass());
  EXPECT_TRUE(lost.may_hold(0x1000));
  EXPECT_FALSE(lost.may_hold(0x1040));
  lost.note(0x1040);
  EXPECT_TRUE(lost.end_pass());
  EXPECT_TRUE(lost.may_hold(0x1000));
  EXPECT_TRUE(lost.may_hold(0x1040));
  EXPECT_TRUE(lost.end_pass());
  EXPECT_FALSE(lost.may_hold(0x1000));
  EXPECT_TRUE(lost.may_hold(0x1040));
  EXPECT_FALSE(lost.end_pass());
}

TEST(LostFrees, FewOthersShareABit) {
  LostFrees lost;
  for (std::uint64_t i = 0; i < 1000; ++i) lost.note(0x7f0000000000 + i * 64);
  lost.end_pass();
  int shared = 0;
  for (std::uint64_t i = 1000; i < 101'000; ++i) shared += lost.may_hold(0x7f0000000000 + i * 64);
  EXPECT_LT(shared, 500);  // of 100,000; expected 0.1 %
}

TEST(LostFrees, NotesOfAllThreadsArrive) {
  LostFrees lost;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&lost, t] {
      for (std::uint64_t i = 0; i < 2000; ++i) lost.note((i * 4 + t) * 64);
    });
  for (auto& t : threads) t.join();
  lost.end_pass();
  for (std::uint64_t i = 0; i < 8000; ++i) EXPECT_TRUE(lost.may_hold(i * 64));
}

}  // namespace
}  // namespace bitnet
