// SPDX-License-Identifier: MIT OR Apache-2.0
// Splitting a text into pieces before BPE: hand-written scanners for the known regular expressions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bitnet {

enum class PreTokenizer : std::uint8_t {
  whole,   // no splitting
  gpt2,    // GPT-2: case-sensitive contractions, numbers of any length
  llama3,  // Llama-3: numbers of one to three digits, new lines apart
  qwen2,   // as Llama-3, each digit apart
};

inline constexpr PreTokenizer kPreTokenizers[] = {PreTokenizer::whole, PreTokenizer::gpt2,
                                                  PreTokenizer::llama3, PreTokenizer::qwen2};

/// The regular expression that the scanner is equal to; empty for `whole`.
std::string_view pattern_of(PreTokenizer pre) noexcept;
std::optional<PreTokenizer> pre_tokenizer_from_pattern(std::string_view pattern) noexcept;

/// Values of GGUF's `tokenizer.ggml.pre`, as llama.cpp reads them.
struct PreTokenizerName {
  std::string_view name;
  PreTokenizer pre;
  bool ignore_merges;  // a piece that is a token is taken whole, without merging
};

/// The first name of a pre-tokenizer is the one to write into a GGUF file.
inline constexpr PreTokenizerName kPreTokenizerNames[] = {
    {"llama-bpe", PreTokenizer::llama3, true}, {"llama3", PreTokenizer::llama3, true},
    {"llama-v3", PreTokenizer::llama3, true},  {"falcon3", PreTokenizer::llama3, true},
    {"falcon_e", PreTokenizer::llama3, true},  {"gpt-2", PreTokenizer::gpt2, false},
    {"qwen2", PreTokenizer::qwen2, false},
};
std::optional<PreTokenizerName> find_pre_tokenizer(std::string_view name) noexcept;
std::optional<PreTokenizer> pre_tokenizer_from_name(std::string_view name) noexcept;
/// Empty where llama.cpp has no name for it (`whole`).
std::string_view name_of(PreTokenizer pre) noexcept;

/// End of the piece that begins at `at` < text.size(). Pieces follow each other without gaps. A
/// byte that is not part of well-formed UTF-8 counts as a symbol (neither letter, number nor white
/// space).
std::size_t next_piece(PreTokenizer pre, std::string_view text, std::size_t at) noexcept;

}  // namespace bitnet
