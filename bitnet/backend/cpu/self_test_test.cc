// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/self_test.h"

#include <gtest/gtest.h>

#include <map>

namespace bitnet::cpu {
namespace {

TEST(SelfTest, EveryKernelOfThisCpuIsRight) {
  for (const KernelCheck& c : self_test())
    EXPECT_EQ(c.ok, c.available) << c.family << " " << c.isa << ": " << c.detail;
}

TEST(SelfTest, KnowsEveryFamilyWithItsReference) {
  std::map<std::string_view, int> references, chosen;
  for (const KernelCheck& c : self_test()) {
    references[c.family] += c.isa == "reference";
    chosen[c.family] += c.chosen;
  }
  EXPECT_EQ(references.size(), 23u);
  for (const auto& [family, count] : references) EXPECT_EQ(count, 1) << family;
  for (const auto& [family, count] : chosen) EXPECT_EQ(count, 1) << family;
}

}  // namespace
}  // namespace bitnet::cpu
