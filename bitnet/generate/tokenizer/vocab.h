// SPDX-License-Identifier: MIT OR Apache-2.0
// What a model file says about its byte-level BPE vocabulary.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/generate/tokenizer/pre_tokenizer.h"

namespace bitnet {

/// Values of GGUF's `tokenizer.ggml.token_type`.
enum class TokenType : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,       // found in text only if EncodeOptions::parse_special; skipped by decode()
  user_defined = 4,  // always found in text
  unused = 5,
  byte = 6,  // "<0x0A>"
};

/// How a control or user-defined token is looked for (the fields of tokenizer.json's added_tokens).
struct AddedTokenRule {
  std::int32_t id = -1;
  bool lstrip = false, rstrip = false;  // swallows white space before, after
  bool normalized = false;              // looked for after those that are not `normalized`
};

/// All strings are borrowed: they must live until the Tokenizer is built, no longer.
struct BpeVocab {
  std::string file;                      // for messages
  std::vector<std::string_view> tokens;  // by id; text as in the file: "Ġthe", "<|eot_id|>"
  std::vector<TokenType> types;          // [tokens]; empty: all normal
  std::vector<std::pair<std::string_view, std::string_view>> merges;  // by rank
  std::vector<AddedTokenRule> added;  // exceptions to: no stripping, normalized if user_defined
  PreTokenizer pre = PreTokenizer::llama3;
  bool ignore_merges = false;            // a piece that is a token is taken whole
  bool add_prefix_space = false;         // a space before text that does not begin with one
  std::int32_t bos = -1, eos = -1;       // -1: none
  std::vector<std::int32_t> prefix_ids;  // what EncodeOptions::add_special puts before
  std::vector<std::int32_t> suffix_ids;  // … and after the text
};

/// "Ġ t" -> ("Ġ", "t"), for the merges of GGUF files. `index` and `file` are for the error.
/// Throws FileError{corrupt_file, E_VOCAB} unless there is exactly one space, inside.
std::pair<std::string_view, std::string_view> split_merge(std::string_view merge, std::size_t index,
                                                          const std::string& file);

/// Throws FileError{corrupt_file, E_VOCAB}.
[[noreturn]] void vocab_fault(const std::string& file, const std::string& field,
                              std::string_view value, const std::string& limit);

}  // namespace bitnet
