// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/error.h"

#include <gtest/gtest.h>

#include "bitnet/base/checked.h"

namespace bitnet {
namespace {

TEST(Error, FileErrorSaysFileFieldOffsetValueAndLimit) {
  const FileError e(Errc::corrupt_file, {"E_COUNT", "m.gguf", 8, "n_tensors", "99", "at most 3"});
  EXPECT_STREQ(e.what(), "m.gguf: n_tensors at byte 8: 99; at most 3 [E_COUNT]");
  EXPECT_EQ(e.code(), Errc::corrupt_file);
  EXPECT_EQ(e.fault().offset, 8u);
}

TEST(Error, RequireKnowsItsCaller) {
  try {
    require(false, "no");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.where().file_name()).find("error_test.cc"), std::string::npos);
  }
}

TEST(Error, PrintableEscapesAndCuts) {
  EXPECT_EQ(printable("a\"b\n\xff"), "a\\x22b\\x0a\\xff");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
}

TEST(Checked, WrapsAreSeen) {
  EXPECT_FALSE(checked_mul(INT64_MAX, 4));
  EXPECT_FALSE(checked_add(UINT64_MAX, 1));
  EXPECT_FALSE(checked_round_up(UINT64_MAX - 3, 32));
  EXPECT_EQ(checked_round_up(33, 32), 64u);
  EXPECT_EQ(ceil_div(7, 4), 2);
  EXPECT_EQ(round_up(8, 4), 8);
}

}  // namespace
}  // namespace bitnet
