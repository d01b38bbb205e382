// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/isa.h"

#include <gtest/gtest.h>

#include "bitnet/base/error.h"

namespace bitnet::isa {
namespace {

TEST(Isa, EveryLevelAllowsAllOfTheOnesBelow) {
  Mask below = kNone;
  for (const Level& level : levels()) {
    EXPECT_TRUE(has(level.allows, below)) << level.name;
    below = level.allows;
  }
  EXPECT_EQ(levels().front().name, "reference");
}

TEST(Isa, NameLowersTheChoice) {
  const Mask all = levels().back().allows;
  for (const Level& level : levels()) {
    EXPECT_EQ(limited_to(level.name, all), level.allows);
    EXPECT_EQ(name_of(level.allows), level.name);
  }
  EXPECT_EQ(limited_to("", all), all);
  EXPECT_EQ(limited_to("reference", all), kNone);
}

TEST(Isa, WhatTheCpuLacksOrNobodyKnowsIsAnErrorThatSaysSo) {
  for (const Level& level : levels()) {
    if (level.allows == kNone) continue;
    try {
      limited_to(level.name, kNone);
      FAIL() << level.name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::unsupported);
      EXPECT_NE(std::string(e.what()).find(level.name), std::string::npos);
    }
  }
  EXPECT_THROW(limited_to("avx3", detect()), Error);
}

}  // namespace
}  // namespace bitnet::isa
