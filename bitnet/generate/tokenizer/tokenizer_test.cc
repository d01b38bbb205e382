// SPDX-License-Identifier: MIT OR Apache-2.0
// Encoding and decoding with small vocabularies; refusals of broken ones.
#include "bitnet/generate/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "bitnet/base/error.h"
#include "bitnet/generate/tokenizer/test_vocab.h"

namespace bitnet {
namespace {

using Ids = std::vector<std::int32_t>;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const BpeVocab& vocab) {
  try {
    tokenizer_from_vocab(vocab);
  } catch (const FileError& error) {
    EXPECT_EQ(error.fault().kind, "E_VOCAB");
    EXPECT_EQ(error.code(), Errc::corrupt_file);
    return error.what();
  }
  return "accepted";
}

TEST(Tokenizer, MergesByRank) {
  TestVocab t;
  t.merge("h", "e");        // 256
  t.merge("l", "l");        // 257
  t.merge("he", "ll");      // 258
  t.merge("\u0120", "he");  // 259: never, "he" goes with "ll" first
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  EXPECT_THAT(tokenizer.encode("hello"), ElementsAre(258, 'o'));
  EXPECT_THAT(tokenizer.encode(" hello"), ElementsAre(' ', 258, 'o'));
  EXPECT_THAT(tokenizer.encode(" he"), ElementsAre(259));
  EXPECT_EQ(tokenizer.token_text(259), "\u0120he");
  EXPECT_EQ(tokenizer.token_bytes(259), " he");
  EXPECT_EQ(tokenizer.find_token("\u0120he"), 259);
  EXPECT_EQ(tokenizer.find_token(" he"), std::nullopt);
  EXPECT_EQ(tokenizer.merge_text(3), "\u0120 he");
  EXPECT_EQ(tokenizer.merge_count(), 4);
}

TEST(Tokenizer, IgnoreMergesTakesWholeTokens) {
  TestVocab t;
  t.merge("a", "b");
  const auto abc = t.add("abc");  // no merge leads here
  EXPECT_THAT(tokenizer_from_vocab(t.vocab).encode("abc"), ElementsAre(256, 'c'));
  t.vocab.ignore_merges = true;
  EXPECT_THAT(tokenizer_from_vocab(t.vocab).encode("abc"), ElementsAre(abc));
  EXPECT_THAT(tokenizer_from_vocab(t.vocab).encode("abcd"), ElementsAre(256, 'c', 'd'));
}

TEST(Tokenizer, SpecialTokens) {
  TestVocab t;
  const auto bos = t.add("<s>", TokenType::control);
  const auto longer = t.add("<s>>", TokenType::control);
  const auto user = t.add("<s", TokenType::user_defined);
  t.vocab.bos = bos;
  t.vocab.prefix_ids = {bos};
  t.vocab.suffix_ids = {longer};
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  EXPECT_THAT(tokenizer.encode("a"), ElementsAre(bos, 'a', longer));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre(bos, longer));
  EXPECT_THAT(tokenizer.encode("a", {.add_special = false}), ElementsAre('a'));
  EXPECT_THAT(tokenizer.encode("<s>>a<s><s", {.add_special = false}),
              ElementsAre(longer, 'a', bos, user));
  EXPECT_THAT(tokenizer.encode("<s>", {.add_special = false, .parse_special = false}),
              ElementsAre(user, '>'));
  EXPECT_EQ(tokenizer.decode(Ids{bos, 'a', user}), "<s>a<s");
  EXPECT_EQ(tokenizer.decode(Ids{bos, 'a', user}, SpecialTokens::skip), "a<s");
  EXPECT_EQ(tokenizer.control_tokens(), (Ids{bos, longer}));
  EXPECT_EQ(tokenizer.bos(), bos);
  EXPECT_EQ(tokenizer.eos(), -1);
}

// A control token's text as plain text never gives the control token, even where a piece equals it.
TEST(Tokenizer, PlainTextCannotBecomeAControlToken) {
  TestVocab t;
  const auto stop = t.add("stop", TokenType::control);
  t.vocab.ignore_merges = true;
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  EXPECT_THAT(tokenizer.encode("stop"), ElementsAre(stop));
  EXPECT_THAT(tokenizer.encode("stop", {.parse_special = false}), ElementsAre('s', 't', 'o', 'p'));
}

TEST(Tokenizer, StrippingSwallowsWhiteSpace) {
  TestVocab t;
  const auto left = t.add("<l>", TokenType::control);
  const auto right = t.add("<r>", TokenType::control);
  t.vocab.added = {{left, true, false, false}, {right, false, true, false}};
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  EXPECT_THAT(tokenizer.encode("a \u3000<l> b"), ElementsAre('a', left, ' ', 'b'));
  EXPECT_THAT(tokenizer.encode("a <r>\n\u3000 b"), ElementsAre('a', ' ', right, 'b'));
  EXPECT_THAT(tokenizer.encode("<r>  <l>"), ElementsAre(right, left));
  // A byte that ends no character is no white space, whatever stands before it.
  EXPECT_THAT(tokenizer.encode("a \x80<l>"), ElementsAre('a', ' ', 0x80, left));
}

TEST(Tokenizer, PrefixSpace) {
  TestVocab t;
  t.vocab.pre = PreTokenizer::gpt2;
  t.vocab.add_prefix_space = true;
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  EXPECT_THAT(tokenizer.encode("a"), ElementsAre(' ', 'a'));
  EXPECT_THAT(tokenizer.encode(" a"), ElementsAre(' ', 'a'));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre());
}

TEST(Tokenizer, DecodingGivesBackAnyBytes) {
  TestVocab t;
  t.merge("a", "b");
  t.merge("\u0120", "ab");
  t.merge("\u00C3", "\u00A9");
  t.merge("\u010A", "\u010A");
  std::mt19937 random(5);
  for (const PreTokenizer pre : kPreTokenizers) {
    t.vocab.pre = pre;
    const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
    for (int round = 0; round < 2000; ++round) {
      const std::string parts[] = {
          "ab", " ", "\n", "\u00E9", std::string(1, static_cast<char>(random())), "12"};
      std::string text;
      for (int i = 0; i < 20; ++i) text += parts[random() % std::size(parts)];
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
    }
  }
}

TEST(Tokenizer, LongWordsAreNotQuadratic) {
  TestVocab t;
  for (std::string a = "a"; a.size() < 64; a += a) t.merge(a, a);
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = tokenizer.encode(std::string(1'000'000, 'a'));
  EXPECT_EQ(ids.size(), 1'000'000u / 64);
  // A quadratic scan would take minutes; the heap takes about 0.2 s, a sanitizer ten times that.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Tokenizer, IsSharedByThreads) {
  TestVocab t;
  t.merge("a", "b");
  t.merge("ab", "ab");
  const Tokenizer tokenizer = tokenizer_from_vocab(t.vocab);
  const Ids expected = tokenizer_from_vocab(t.vocab).encode("abab ab xabab");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 500; ++round)
        wrong[i] += tokenizer.encode("abab ab xabab") != expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(Tokenizer, MissingBytesAndIdsAreNamed) {
  TestVocab t;
  BpeVocab few;
  few.tokens = {"a", "b", "<0x0A>"};
  few.types = {TokenType::normal, TokenType::normal, TokenType::byte};
  const Tokenizer tokenizer = tokenizer_from_vocab(few);
  EXPECT_THAT(tokenizer.encode("a\n"), ElementsAre(0, 2));
  EXPECT_EQ(tokenizer.token_text(2), "<0x0A>");
  EXPECT_EQ(tokenizer.token_bytes(2), "\n");
  EXPECT_EQ(tokenizer.find_token("<0x0A>"), 2);
  EXPECT_THAT([&] { tokenizer.encode("c"); }, testing::ThrowsMessage<Error>(HasSubstr("byte 99")));
  for (const std::int32_t id : {-1, 3})
    EXPECT_THAT([&] { (void)tokenizer.decode(Ids{id}); },
                testing::ThrowsMessage<Error>(HasSubstr("outside the vocabulary of 3")));
}

TEST(BrokenVocabulary, IsRefusedWithTheIndex) {
  EXPECT_THAT(refusal(BpeVocab{}), HasSubstr("1 to 2^31-1 tokens"));
  const auto with = [](const std::string& token, TokenType type) {
    TestVocab t;
    t.add(token, type);
    return refusal(t.vocab);
  };
  EXPECT_THAT(with("", TokenType::normal), HasSubstr("token 256"));
  EXPECT_THAT(with(std::string(65537, 'x'), TokenType::normal), HasSubstr("1 to 65536 bytes"));
  EXPECT_THAT(with(std::string(1025, 'x'), TokenType::control), HasSubstr("1 to 1024 bytes"));
  EXPECT_THAT(with("a", TokenType::normal),
              HasSubstr("token 256 at byte 0: \"a\"; must not occur twice"));
  EXPECT_THAT(with("a", TokenType::control), HasSubstr("must not occur twice"));
  EXPECT_THAT(with("ab", static_cast<TokenType>(7)), HasSubstr("must be 1 to 6"));
  for (const char* byte : {"<0x-1>", "<0x100>", "<0xG0>", "<0x0a>", "0A"})
    EXPECT_THAT(with(byte, TokenType::byte), HasSubstr("must be a byte")) << byte;
  BpeVocab control_first;
  control_first.tokens = {"a", "a"};
  control_first.types = {TokenType::control, TokenType::normal};
  EXPECT_THAT(refusal(control_first), HasSubstr("token 1 at byte 0: \"a\"; must not occur twice"));
  EXPECT_EQ(with("<0x0A>", TokenType::byte), "accepted");
  EXPECT_EQ(with("ab", TokenType::normal), "accepted");
}

TEST(BrokenVocabulary, MergesMustBeOfTokens) {
  TestVocab t;
  t.vocab.merges = {{"a", "xx"}};
  EXPECT_THAT(refusal(t.vocab), HasSubstr("merge 0 at byte 0: \"xx\"; must be a token"));
  t.vocab.merges = {{"a", "b"}};
  EXPECT_THAT(refusal(t.vocab), HasSubstr("the merged text must be a token"));
  t.add("ab");
  EXPECT_EQ(refusal(t.vocab), "accepted");
  t.vocab.merges.push_back(t.vocab.merges[0]);
  EXPECT_THAT(refusal(t.vocab), HasSubstr("merge 1"));
}

TEST(BrokenVocabulary, IdsMustBeInside) {
  for (auto member : {&BpeVocab::bos, &BpeVocab::eos}) {
    TestVocab t;
    t.vocab.*member = 256;
    EXPECT_THAT(refusal(t.vocab), HasSubstr("below the vocabulary's size, 256"));
    t.vocab.*member = -2;
    EXPECT_NE(refusal(t.vocab), "accepted");
  }
  TestVocab t;
  t.vocab.suffix_ids = {-1};
  EXPECT_NE(refusal(t.vocab), "accepted");
  t.vocab.suffix_ids.clear();
  t.vocab.added = {{1, false, false, false}};
  EXPECT_THAT(refusal(t.vocab), HasSubstr("control or user-defined"));
  t.vocab.added.clear();
  t.vocab.types.pop_back();
  EXPECT_THAT(refusal(t.vocab), HasSubstr("token types"));
}

TEST(SplitMerge, NeedsOneSpaceInside) {
  EXPECT_EQ(split_merge("a bc", 0, "f").second, "bc");
  for (const char* merge : {"", " ", "a", "a ", " a", "a b c", "a  b"})
    EXPECT_THROW(split_merge(merge, 0, "f"), FileError) << merge;
}

}  // namespace
}  // namespace bitnet
