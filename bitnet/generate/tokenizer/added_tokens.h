// SPDX-License-Identifier: MIT OR Apache-2.0
// Tokens that are looked for in the text before it is split: control and user-defined ones.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "bitnet/generate/tokenizer/flat_table.h"

namespace bitnet::tokenizer_detail {

/// A token to find, with its text. lstrip and rstrip make it swallow the white space before and
/// after it.
struct AddedToken {
  std::int32_t id = -1;
  std::string_view text;
  bool control = false;
  bool lstrip = false, rstrip = false;
};

/// Finds the leftmost token, of several at one place the longest: a trie over bytes.
/// Time is at most text size times the longest token, which the vocabulary limits.
class AddedTokenMatcher {
 public:
  explicit AddedTokenMatcher(const std::vector<AddedToken>& tokens);

  struct Match {
    std::size_t begin, end;  // without stripped white space
    std::int32_t id;
    bool lstrip, rstrip;
  };
  /// The first match in text[from, …). Control tokens count only if `with_control`.
  std::optional<Match> find(std::string_view text, std::size_t from, bool with_control) const;

 private:
  struct Node {
    std::int32_t id = -1;  // of the token that ends here
    bool control = false, lstrip = false, rstrip = false;
  };
  std::optional<Match> match_at(std::string_view text, std::size_t at, bool with_control) const;

  std::vector<Node> nodes_;
  PairTable edges_;  // (node, byte) -> node
  std::array<bool, 256> first_{};
  int single_first_ = -1;  // the first byte of all tokens if there is but one (memchr finds it)
};

}  // namespace bitnet::tokenizer_detail
