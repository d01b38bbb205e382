// SPDX-License-Identifier: MIT OR Apache-2.0
// tokenizer.json: what is understood and what is refused.
#include "bitnet/generate/tokenizer/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A whole document; each test replaces one text in it.
constexpr std::string_view kDocument = R"({
  "truncation": null, "padding": null, "normalizer": null,
  "added_tokens": [
    {"id": 4, "content": "<s>", "single_word": false, "lstrip": false, "special": true},
    {"id": 5, "content": "ab", "single_word": false, "normalized": true, "special": false}],
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"},
    {"type": "TemplateProcessing", "single":
      [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
     "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}}]},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": "", "continuing_subword_prefix": "",
    "ignore_merges": false, "vocab": {"a": 0, "b": 1, "c": 2, "bc": 3, "<s>": 4},
    "merges": ["b c"]}
})";

Tokenizer load(const std::string& from = "", const std::string& to = "", TextEnds ends = {}) {
  std::string text(kDocument);
  if (!from.empty()) {
    const std::size_t at = text.find(from);
    if (at == text.npos) throw std::logic_error("no such text: " + from);
    text.replace(at, from.size(), to);
  }
  return tokenizer_from_json(parse_json(text, "t.json"), "t.json", ends);
}

struct Refusal {
  Errc code;
  std::string what;
};

Refusal refusal(const std::string& from, const std::string& to) {
  try {
    load(from, to);
  } catch (const FileError& error) {
    EXPECT_EQ(error.fault().kind, "E_VOCAB");
    EXPECT_EQ(error.fault().file, "t.json");
    return {error.code(), error.what()};
  }
  return {Errc::internal, "accepted"};
}

TEST(TokenizerJson, IsUnderstood) {
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.size(), 6);
  EXPECT_THAT(tokenizer.encode("cabbc<s>"), ElementsAre(4, 2, 5, 3, 4));
  EXPECT_EQ(tokenizer.bos(), 4);
  EXPECT_EQ(tokenizer.eos(), -1);
  EXPECT_EQ(tokenizer.token_type(4), TokenType::control);
  EXPECT_EQ(tokenizer.token_type(5), TokenType::user_defined);
  EXPECT_EQ(tokenizer.pre_tokenizer(), PreTokenizer::gpt2);
  EXPECT_EQ(load("", "", {2, 3}).eos(), 3);
  EXPECT_EQ(load("", "", {2, 3}).bos(), 2);
}

TEST(TokenizerJson, MergesAsPairs) {
  EXPECT_THAT(load("\"b c\"", "[\"b\", \"c\"]").encode("bc"), ElementsAre(4, 3));
  EXPECT_THAT(refusal("\"b c\"", "[\"b\"]").what, HasSubstr("merge 0"));
  EXPECT_THAT(refusal("\"b c\"", "\"bc\"").what, HasSubstr("merge 0"));
  EXPECT_THAT(refusal("\"b c\"", "\"b d\"").what, HasSubstr("merge 0"));
}

TEST(TokenizerJson, UnknownPartsAreUnsupported) {
  const std::pair<const char*, const char*> changes[] = {
      {R"("normalizer": null)", R"("normalizer": {"type": "NFC"})"},
      {R"("type": "BPE")", R"("type": "Unigram")"},
      {R"("dropout": null)", R"("dropout": 0.1)"},
      {R"("dropout": null)", R"("byte_fallback": true)"},
      {R"("continuing_subword_prefix": "")", R"("continuing_subword_prefix": "##")"},
      {R"("single_word": false)", R"("single_word": true)"},
      {R"("decoder": {"type": "ByteLevel"})", R"("decoder": null)"},
      {R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})", "null"},
      {R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})",
       R"({"type": "Metaspace"})"},
      {R"({"Sequence": {"id": "A", "type_id": 0}})",
       R"({"SpecialToken": {"id": "<s>", "type_id": 0}})"},
      {R"("processors": [)", R"("processors": [{"type": "BertProcessing"}, )"},
  };
  for (const auto& [from, to] : changes) {
    const Refusal got = refusal(from, to);
    EXPECT_EQ(got.code, Errc::unsupported) << to << got.what;
  }
}

TEST(TokenizerJson, UnknownPatternIsPrinted) {
  const Refusal got = refusal(
      R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})",
      R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "[a-z]+x"},
          "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "use_regex": false}]})");
  EXPECT_EQ(got.code, Errc::unsupported);
  EXPECT_THAT(got.what, HasSubstr("[a-z]+x"));
}

TEST(TokenizerJson, BrokenDocumentsAreCorrupt) {
  const std::pair<const char*, const char*> changes[] = {
      {R"("b": 1)", R"("b": 0)"},  // an id twice, and a hole
      {R"("b": 1)", R"("b": 7)"},  // beyond the number of tokens
      {R"("b": 1)", R"("b": -1)"},
      {R"("b": 1)", R"("b": "1")"},
      {R"("a": 0)", R"("": 0)"},
      {R"("id": 5)", R"("id": 6)"},                 // a hole at 5
      {R"("id": 5)", R"("id": 3)"},                 // another token has this id
      {R"("content": "ab")", R"("content": "a")"},  // a token twice
      {R"("ids": [4])", R"("ids": [6])"},
      {R"("special_tokens": {"<s>")", R"("special_tokens": {"<t>")"},
      {R"("vocab")", R"("vocabulary")"},
      {R"("merges")", R"("merge")"},
  };
  for (const auto& [from, to] : changes) {
    const Refusal got = refusal(from, to);
    EXPECT_EQ(got.code, Errc::corrupt_file) << to << got.what;
  }
}

}  // namespace
}  // namespace bitnet
