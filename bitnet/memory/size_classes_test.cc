// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/size_classes.h"

#include <gtest/gtest.h>

namespace bitnet::memory {
namespace {

TEST(SizeClasses, EverySizeHasTheSmallestBlockThatHoldsItAndLittleWaste) {
  std::uint32_t before = 0;
  for (std::size_t bytes = 1; bytes <= kLargeBytes; ++bytes) {
    const std::uint32_t c = class_of(bytes);
    ASSERT_LT(c, std::uint32_t{kNumClasses});
    ASSERT_GE(c, before);
    before = c;
    ASSERT_GE(class_bytes(c), bytes);
    if (c > 0) {
      ASSERT_LT(class_bytes(c - 1), bytes);
    }
    if (bytes >= 128) {
      ASSERT_LE(class_bytes(c) - bytes, bytes / 8);
    }
  }
  EXPECT_EQ(class_of(0), class_of(1));
}

TEST(SizeClasses, AlignedSizesHaveClassesThatAreMultiplesOfTheAlignment) {
  for (std::size_t alignment = 1; alignment <= kUnitBytes; alignment *= 2)
    for (std::size_t bytes = 1; bytes < kLargeBytes; bytes += bytes < 5000 ? 1 : 997) {
      const std::size_t need = aligned_size(bytes, alignment);
      ASSERT_EQ(class_bytes(class_of(need)) % std::min<std::size_t>(alignment, 16), 0u);
      if (alignment >= 16) {
        ASSERT_EQ(class_bytes(class_of(need)) % alignment, 0u) << bytes << " at " << alignment;
      }
    }
}

TEST(SizeClasses, SpansHoldTheirBlocksAndFindThemByMultiplication) {
  for (const SizeClass& c : kSizeClasses) {
    const std::uint64_t span = std::uint64_t{c.span_units} * kUnitBytes;
    ASSERT_GE(c.span_blocks, 1u);
    ASSERT_LE(std::uint64_t{c.span_blocks} * c.block_bytes, span);
    EXPECT_LE(span - std::uint64_t{c.span_blocks} * c.block_bytes, span / 8) << c.block_bytes;
    EXPECT_EQ(c.magazine % 2, 0u);
    for (std::uint64_t i = 0; i < c.span_blocks; ++i)
      ASSERT_EQ(i * c.block_bytes * c.reciprocal >> kReciprocalShift, i) << c.block_bytes;
  }
}

}  // namespace
}  // namespace bitnet::memory
