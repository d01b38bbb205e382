// SPDX-License-Identifier: MIT OR Apache-2.0
// The scanners against pieces of the package `tokenizers`, and their invariants.
#include "bitnet/generate/tokenizer/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace bitnet {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(PreTokenizer pre, std::string_view text) {
  Pieces pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = next_piece(pre, text, at);
    if (end <= at || end > text.size()) throw std::logic_error("a piece without bytes");
    pieces.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

Pieces llama3(std::string_view text) { return split(PreTokenizer::llama3, text); }
Pieces gpt2(std::string_view text) { return split(PreTokenizer::gpt2, text); }

// Expected values: Split(Regex(pattern), "isolated").pre_tokenize_str() of tokenizers 0.23.
TEST(Llama3Pieces, Contractions) {
  EXPECT_EQ(llama3("it's"), (Pieces{"it", "'s"}));
  EXPECT_EQ(llama3("'S'T'RE"), (Pieces{"'S", "'T", "'RE"}));
  EXPECT_EQ(llama3(" 's"), (Pieces{" '", "s"}));
  EXPECT_EQ(llama3("''s"), (Pieces{"''", "s"}));
  EXPECT_EQ(llama3("'r\u00E9"), (Pieces{"'r\u00E9"}));
  EXPECT_EQ(llama3("'\u017Ft"), (Pieces{"'\u017F", "t"}));  // the long s folds to s
  EXPECT_EQ(llama3("'\uFB06"), (Pieces{"'\uFB06"}));        // the ligature st does not
}

TEST(Llama3Pieces, WhiteSpaceAndLines) {
  EXPECT_EQ(llama3("  \n\n  x"), (Pieces{"  \n\n", " ", " x"}));
  EXPECT_EQ(llama3("\n \r\n\t "), (Pieces{"\n \r\n", "\t "}));
  EXPECT_EQ(llama3("a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_EQ(llama3("a \u00A0b"), (Pieces{"a", " ", "\u00A0b"}));
  EXPECT_EQ(llama3("!!\r\n\n x"), (Pieces{"!!\r\n\n", " x"}));
  EXPECT_EQ(llama3("\u0085a"), (Pieces{"\u0085a"}));
  EXPECT_EQ(llama3(std::string_view("\0\0a", 3)), (Pieces{std::string(2, '\0'), "a"}));
  EXPECT_EQ(llama3("  "), (Pieces{"  "}));
}

TEST(Llama3Pieces, Digits) {
  EXPECT_EQ(llama3("1234567"), (Pieces{"123", "456", "7"}));
  EXPECT_EQ(split(PreTokenizer::qwen2, "a12"), (Pieces{"a", "1", "2"}));
  EXPECT_EQ(gpt2(" 1234567a"), (Pieces{" 1234567", "a"}));
}

TEST(Gpt2Pieces, DifferFromLlama3InCaseAndLines) {
  EXPECT_EQ(gpt2("it'S"), (Pieces{"it", "'", "S"}));
  EXPECT_EQ(gpt2("it's"), (Pieces{"it", "'s"}));
  EXPECT_EQ(gpt2("x\n\ny"), (Pieces{"x", "\n", "\n", "y"}));
  EXPECT_EQ(gpt2("!!\n"), (Pieces{"!!", "\n"}));
  EXPECT_EQ(gpt2("\tfoo"), (Pieces{"\t", "foo"}));
}

TEST(Pieces, OfAnyBytesConcatenateToTheText) {
  std::mt19937 random(3);
  const std::string parts[] = {"'",    "s",        " ",          "\n",     "\r",     "\t",
                               "1",    "a",        "!",          "\u00E9", "\u4E2D", "\u00A0",
                               "\xFF", "\xE2\x82", "\U0001F600", "LL"};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 14; ++i) text += parts[random() % std::size(parts)];
    for (const PreTokenizer pre : kPreTokenizers) {
      std::string joined;
      for (const std::string& piece : split(pre, text)) joined += piece;
      ASSERT_EQ(joined, text);
    }
  }
}

TEST(Pieces, ABadByteIsASymbol) {
  EXPECT_EQ(llama3("a\xFF\xFE"
                   "b"),
            (Pieces{"a", "\xFF\xFE", "b"}));
  EXPECT_EQ(llama3("a\xFF"
                   "b"),
            (Pieces{"a",
                    "\xFF"
                    "b"}));
}

TEST(PreTokenizerNames, AreThoseOfLlamaCpp) {
  EXPECT_EQ(pre_tokenizer_from_name("llama-bpe"), PreTokenizer::llama3);
  EXPECT_EQ(pre_tokenizer_from_name("gpt-2"), PreTokenizer::gpt2);
  EXPECT_EQ(pre_tokenizer_from_name("default"), std::nullopt);
  EXPECT_TRUE(find_pre_tokenizer("falcon3")->ignore_merges);
  for (const PreTokenizer pre : kPreTokenizers) {
    if (pre == PreTokenizer::whole) continue;
    EXPECT_EQ(pre_tokenizer_from_name(name_of(pre)), pre);
    EXPECT_EQ(pre_tokenizer_from_pattern(pattern_of(pre)), pre);
  }
  EXPECT_EQ(pre_tokenizer_from_pattern(""), std::nullopt);
}

}  // namespace
}  // namespace bitnet
