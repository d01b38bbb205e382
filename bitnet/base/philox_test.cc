// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/philox.h"

#include <gtest/gtest.h>

namespace bitnet {
namespace {

using Counter = std::array<std::uint32_t, 4>;

// The known answers that come with Random123 (kat_vectors, philox4x32 10).
TEST(Philox, GivesItsKnownAnswers) {
  const std::uint32_t all = 0xffffffffu;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({all, all, all, all}, {all, all}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EachNumberOfAStreamIsOneWordOfOneCounter) {
  const std::uint64_t seed = 0x299f31d0a4093822;
  for (std::uint64_t block = 0; block < 3; ++block)
    for (std::uint32_t lane = 0; lane < 16; ++lane) {
      const auto words = philox({static_cast<std::uint32_t>(block * 16 + lane), 0, 0, 0},
                                {0xa4093822, 0x299f31d0});
      for (std::uint32_t w = 0; w < 4; ++w)
        EXPECT_EQ(philox_at(seed, block * 64 + w * 16 + lane), words[w]);
    }
  EXPECT_EQ(philox_at(1, std::uint64_t{1} << 40), philox({0, 1u << 6, 0, 0}, {1, 0})[0]);
}

}  // namespace
}  // namespace bitnet
