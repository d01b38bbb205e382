// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/json.h"

#include <gtest/gtest.h>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

FileFault fault_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "t.json", 8, limits);
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), Errc::corrupt_file);
    return error.fault();
  }
  ADD_FAILURE() << "accepted: " << printable(text);
  return {};
}

TEST(Json, ReadsValuesInDocumentOrder) {
  const Json json = parse_json(
      R"({"b":1,"a":[true,null,-2,0.5,"x\u00e9"],"o":{"k":"v"},"big":9223372036854775807})", "t");
  ASSERT_EQ(json.as_object().size(), 4u);
  EXPECT_EQ(json.as_object()[0].first, "b");
  const auto& list = json.at("a").as_array();
  EXPECT_TRUE(list[0].as_bool());
  EXPECT_TRUE(list[1].is_null());
  EXPECT_EQ(list[2].as_int(), -2);
  EXPECT_EQ(list[2].as_double(), -2.0);
  EXPECT_EQ(list[3].as_double(), 0.5);
  EXPECT_EQ(list[4].as_string(), "x\xc3\xa9");
  EXPECT_EQ(json.at("o").at("k").as_string(), "v");
  EXPECT_EQ(json.at("big").as_int(), INT64_MAX);
  EXPECT_EQ(json.find("absent"), nullptr);
}

TEST(Json, AccessorsNameBothKinds) {
  const Json json = parse_json(R"({"a":1.5})", "t");
  try {
    json.at("a").as_int();
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "expected integer, found number");
  }
  EXPECT_THROW(json.at("b"), Error);
  EXPECT_THROW(json.at("a").at("b"), Error);
}

TEST(Json, RefusesWhatIsNotOneStrictDocument) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{} {}",
                                      "nul",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "1e400",
                                      "-1e400",
                                      "18446744073709551615",
                                      "99999999999999999999",
                                      "-9223372036854775809",
                                      "01",
                                      "NaN",
                                      "'a'",
                                      "\"\\ud800\"",
                                      "\"a\nb\"",
                                      "// c\n1",
                                      "{1:2}"})
    EXPECT_EQ(fault_of(text).kind, "E_HEADER") << text;
}

TEST(Json, NamesTheByte) {
  EXPECT_EQ(fault_of("[1,2,x]").offset, 8u + 5);
  const FileFault fault = fault_of(R"({"a":1,"a":2})");
  EXPECT_EQ(fault.kind, "E_DUPKEY");
  EXPECT_EQ(fault.offset, 8u + 10);
  EXPECT_NE(fault.limit.find(std::to_string(8 + 4)), std::string::npos) << fault.limit;
}

TEST(Json, DepthIsLimitedWithoutRecursion) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(fault_of(deep).kind, "E_DEPTH");
  EXPECT_EQ(fault_of("[[1]]", {.max_depth = 1}).kind, "E_DEPTH");
  EXPECT_EQ(parse_json("[[1]]", "t", 0, {.max_depth = 2}).as_array().size(), 1u);
}

TEST(Json, ValuesAreCounted) {
  EXPECT_EQ(fault_of("[1,2,3]", {.max_values = 3}).kind, "E_COUNT");
  EXPECT_EQ(parse_json("[1,2,3]", "t", 0, {.max_values = 4}).as_array().size(), 3u);
}

TEST(Json, QuotesRoundTrip) {
  std::string text;
  for (char c = 0; c < 127; ++c) text += c;
  text += "\xe2\x82\xac";
  EXPECT_EQ(parse_json(json_quote(text), "t").as_string(), text);
}

TEST(Json, EveryPrefixOfADocumentIsRefused) {
  const std::string text = R"({"a":[1,2.5e3,"\u20ac",{"b":null}],"c":false})";
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_EQ(fault_of(std::string_view(text).substr(0, length)).kind, "E_HEADER") << length;
}

}  // namespace
}  // namespace bitnet
