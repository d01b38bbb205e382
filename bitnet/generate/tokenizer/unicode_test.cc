// SPDX-License-Identifier: MIT OR Apache-2.0
// UTF-8 decoding, classes of code points, the byte alphabet, streaming.
#include "bitnet/generate/tokenizer/unicode.h"

#include <gtest/gtest.h>

#include <random>

#include "bitnet/generate/tokenizer/byte_alphabet.h"
#include "bitnet/generate/tokenizer/utf8_stream.h"

namespace bitnet {
namespace {

TEST(Unicode, EveryCodePointSurvivesEncodingAndDecoding) {
  for (std::uint32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    append_utf8(text, code);
    const CodePoint point = decode_code_point(text, 0);
    ASSERT_EQ(point.value, code);
    ASSERT_EQ(point.size, text.size());
    ASSERT_EQ(incomplete_suffix(text), 0u);
    for (std::size_t cut = 1; cut < text.size(); ++cut)
      ASSERT_EQ(incomplete_suffix(std::string_view(text).substr(0, cut)), cut) << code;
  }
}

TEST(Unicode, IllFormedBytesAreSingleBadBytes) {
  for (const char* text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xC3"}) {
    const CodePoint point = decode_code_point(text, 0);
    EXPECT_EQ(point.value, kBadByte) << text;
    EXPECT_EQ(point.size, 1u);
  }
}

// Counts of Unicode 16.0.0: 141,028 letters and 1,911 numbers (UnicodeData.txt), 25 White_Space.
TEST(Unicode, ClassesHaveTheCountsOfUnicode16) {
  int counts[4] = {};
  for (std::uint32_t code = 0; code < 0x110000; ++code)
    ++counts[static_cast<std::size_t>(code_class(code))];
  EXPECT_EQ(counts[1], 141028);
  EXPECT_EQ(counts[2], 1911);
  EXPECT_EQ(counts[3], 25);
  EXPECT_EQ(code_class(0x17F), CodeClass::letter);
  EXPECT_EQ(code_class(0x2167), CodeClass::number);
  EXPECT_EQ(code_class(0x85), CodeClass::space);
  EXPECT_EQ(code_class(0x1C), CodeClass::other);
  EXPECT_EQ(code_class(0xFFFFFFFF), CodeClass::other);
}

TEST(ByteAlphabet, IsABijectionOfAllBytes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(alphabet_to_bytes(bytes_to_alphabet(all)), all);
  EXPECT_EQ(bytes_to_alphabet(" the\n"), "\u0120the\u010A");
  EXPECT_EQ(alphabet_to_bytes("a b"), std::nullopt);
  EXPECT_EQ(alphabet_to_bytes("\u4E2D"), std::nullopt);
}

TEST(Utf8Stream, GivesOnlyWholeCharacters) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80z"), "\U0001F600z");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.push("A"), "\uFFFDA");
  EXPECT_EQ(stream.push("\xC3"), "");
  EXPECT_EQ(stream.flush(), "\uFFFD");
  EXPECT_EQ(stream.flush(), "");
}

TEST(Utf8Stream, ReplacesMaximalIllFormedParts) {
  Utf8Stream stream;  // the example of Unicode 16, table 3-11
  EXPECT_EQ(stream.push("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\uFFFD\uFFFD\uFFFD\uFFFD\x41");
}

// However the bytes are cut, the stream gives the same text.
TEST(Utf8Stream, DoesNotDependOnTheCuts) {
  std::mt19937 random(7);
  const std::string parts[] = {"a",    "\u00E9",   "\u4E2D",  "\U0001F600",
                               "\xFF", "\xE2\x82", "\xF0\x9F"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 12; ++i) bytes += parts[random() % std::size(parts)];
    Utf8Stream whole, cut;
    std::string expected = whole.push(bytes);
    expected += whole.flush();
    std::string got;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random() % 3;
      got += cut.push(std::string_view(bytes).substr(at, size));
      at += size;
    }
    got += cut.flush();
    ASSERT_EQ(got, expected);
  }
}

}  // namespace
}  // namespace bitnet
