// SPDX-License-Identifier: MIT OR Apache-2.0
// The checked vocabulary inside a Tokenizer: token bytes, look-up tables, merges.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/generate/tokenizer/added_tokens.h"
#include "bitnet/generate/tokenizer/bpe.h"
#include "bitnet/generate/tokenizer/vocab.h"

namespace bitnet::tokenizer_detail {

class Vocabulary {
 public:
  /// Checks everything (see tokenizer_from_vocab()).
  explicit Vocabulary(const BpeVocab& vocab);

  std::int32_t size() const noexcept { return static_cast<std::int32_t>(types_.size()); }
  std::string_view bytes(std::int32_t id) const noexcept {
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(arena_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  std::string text(std::int32_t id) const;
  TokenType type(std::int32_t id) const noexcept { return types_[static_cast<std::size_t>(id)]; }

  /// The normal token with these bytes.
  std::optional<std::int32_t> find_bytes(std::string_view bytes) const {
    return by_bytes_.find(bytes, [this](std::int32_t id) { return this->bytes(id); });
  }
  std::optional<std::int32_t> find_text(std::string_view text) const;

  std::int32_t byte_id(std::uint8_t byte) const noexcept { return byte_ids_[byte]; }  // -1: none
  const MergeTable& merge_table() const noexcept { return merge_table_; }
  const std::vector<std::pair<std::int32_t, std::int32_t>>& merges() const noexcept {
    return merges_;
  }
  /// Control and user-defined tokens; `normalized` ones are looked for in a second pass.
  std::vector<AddedToken> added_tokens(const BpeVocab& vocab, bool normalized) const;

 private:
  void add_token(const BpeVocab& vocab, std::size_t index);
  void add_merge(const BpeVocab& vocab, std::size_t rank);
  std::optional<std::int32_t> find_other(std::string_view text) const {
    return by_text_.find(text, [this](std::int32_t id) { return raw_text(id); });
  }
  std::string_view raw_text(std::int32_t id) const noexcept;

  std::string arena_;                   // bytes of all tokens
  std::vector<std::uint32_t> offsets_;  // [size + 1] into arena_
  std::vector<TokenType> types_;
  std::vector<bool> in_alphabet_;  // the text is written in the byte alphabet
  StringTable by_bytes_;           // normal tokens
  StringTable by_text_;            // the others
  std::array<std::int32_t, 256> byte_ids_{};
  MergeTable merge_table_;
  std::vector<std::pair<std::int32_t, std::int32_t>> merges_;
};

}  // namespace bitnet::tokenizer_detail
