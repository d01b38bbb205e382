// SPDX-License-Identifier: MIT OR Apache-2.0
// A small byte-level vocabulary for tests.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "bitnet/generate/tokenizer/byte_alphabet.h"
#include "bitnet/generate/tokenizer/tokenizer.h"

namespace bitnet {

/// All 256 bytes (id = byte), then what the test adds. Owns the strings that `vocab` borrows.
struct TestVocab {
  TestVocab() {
    vocab.file = "test";
    for (int byte = 0; byte < 256; ++byte)
      add(bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
  }
  TestVocab(const TestVocab&) = delete;
  TestVocab& operator=(const TestVocab&) = delete;

  std::int32_t add(const std::string& text, TokenType type = TokenType::normal) {
    strings.push_back(text);
    vocab.tokens.push_back(strings.back());
    vocab.types.push_back(type);
    return static_cast<std::int32_t>(vocab.tokens.size() - 1);
  }
  /// Adds the merge and, where it is new, the merged token; both parts as in a file ("Ġ", "t").
  void merge(const std::string& left, const std::string& right) {
    const std::string both = left + right;
    bool known = false;
    for (const std::string_view token : vocab.tokens) known |= token == both;
    if (!known) add(both);
    strings.push_back(left);
    strings.push_back(right);
    vocab.merges.emplace_back(*(strings.end() - 2), strings.back());
  }

  std::deque<std::string> strings;
  BpeVocab vocab;
};

}  // namespace bitnet
