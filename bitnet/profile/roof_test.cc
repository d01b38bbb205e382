// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/roof.h"

#include <gtest/gtest.h>

namespace bitnet::profile {
namespace {

const Roof kRoof{100.0, 1000.0, 4000.0, "f", "i"};

TEST(Roof, SharesOfWhatIsPossible) {
  // 2 s of 50 bytes/s; the operations alone need 0.4 s and 0.1 s.
  const Totals t{1, 5.0, 2.0, {100, 400, 400}};
  EXPECT_DOUBLE_EQ(share_of_bandwidth(t, kRoof), 0.5);
  EXPECT_DOUBLE_EQ(share_of_peak(t, kRoof), 0.25);
}

TEST(Roof, WhatIsNotKnownIsZero) {
  const Totals t{1, 2.0, 2.0, {100, 400, 400}};
  EXPECT_EQ(share_of_bandwidth(t, Roof{}), 0.0);
  EXPECT_EQ(share_of_peak(t, Roof{}), 0.0);
  Roof no_int8 = kRoof;
  no_int8.int8_ops_per_second = 0.0;
  EXPECT_EQ(share_of_peak(t, no_int8), 0.0);  // a part would be too little
  EXPECT_GT(share_of_peak({1, 2.0, 2.0, {100, 400, 0}}, no_int8), 0.0);
  EXPECT_EQ(share_of_bandwidth({}, kRoof), 0.0);
  EXPECT_EQ(share_of_peak({}, kRoof), 0.0);
  EXPECT_EQ(Totals{}.mean_seconds(), 0.0);
  EXPECT_EQ(Totals{}.intensity(), 0.0);
}

}  // namespace
}  // namespace bitnet::profile
