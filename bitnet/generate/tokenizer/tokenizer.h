// SPDX-License-Identifier: MIT OR Apache-2.0
// Byte-level BPE: text to token ids and back, equal to the package `tokenizers`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/generate/tokenizer/vocab.h"

namespace bitnet {

struct EncodeOptions {
  bool add_special = true;  // put the begin- and end-of-text tokens that the model wants
  bool parse_special =
      true;  // text such as "<|eot_id|>" becomes the control token (false: plain text)
};

enum class SpecialTokens { keep, skip };

/// Immutable and thread-safe; copies share one vocabulary.
class Tokenizer {
 public:
  /// Ids of `text`, any bytes. A byte that is not part of well-formed UTF-8 is split off like a
  /// symbol (U+FFFD) and encoded as itself, so decode(encode(text)) == text always (without control
  /// tokens or lstrip/rstrip in the text). Throws Error{invalid_argument} if the vocabulary lacks a
  /// byte.
  std::vector<std::int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// Bytes of the tokens, one after the other; not always UTF-8 (see Utf8Stream).
  /// Throws Error{invalid_argument} for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids,
                     SpecialTokens control = SpecialTokens::keep) const;

  /// Raw bytes of one token, valid as long as a copy of this tokenizer. Throws as decode().
  std::string_view token_bytes(std::int32_t id) const;
  /// The token as model files write it ("Ġthe", "<|eot_id|>"). Throws as decode().
  std::string token_text(std::int32_t id) const;
  TokenType token_type(std::int32_t id) const;
  /// Text as model files write it; nullopt if there is no such token.
  std::optional<std::int32_t> find_token(std::string_view text) const;

  std::int32_t size() const noexcept;
  std::int32_t bos() const noexcept;  // -1: none
  std::int32_t eos() const noexcept;
  bool is_control(std::int32_t id) const;
  std::vector<std::int32_t> control_tokens() const;
  /// What EncodeOptions::add_special puts around a text.
  std::span<const std::int32_t> prefix_ids() const noexcept;
  std::span<const std::int32_t> suffix_ids() const noexcept;

  /// For a converter: the rest of the vocabulary as it came.
  PreTokenizer pre_tokenizer() const noexcept;
  bool ignore_merges() const noexcept;
  bool add_prefix_space() const noexcept;
  std::int64_t merge_count() const noexcept;
  std::string merge_text(std::int64_t rank) const;  // "Ġ t"

 private:
  friend Tokenizer tokenizer_from_vocab(const BpeVocab& vocab);
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// Throws FileError{corrupt_file, E_VOCAB} with the token's or merge's index for: no tokens, an
/// empty or over-long token (64 KiB; control and user-defined ones 1 KiB), a type out of range, a
/// byte token that is not "<0x00>".."<0xFF>", a token twice, a merge whose parts or result are no
/// tokens, a merge twice, ids of bos, eos, prefix, suffix or added outside the vocabulary.
Tokenizer tokenizer_from_vocab(const BpeVocab& vocab);

}  // namespace bitnet
