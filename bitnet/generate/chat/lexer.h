// SPDX-License-Identifier: MIT OR Apache-2.0
// Cuts a template into text, tags and the tokens inside tags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::chat {

enum class TokenKind : std::uint8_t {
  text,
  output_begin,  // {{
  output_end,
  block_begin,  // {%
  block_end,
  name,
  string,
  integer,
  real,
  op,
  end,
};

struct Token {
  TokenKind kind;
  std::string text;  // of strings: with escapes resolved
  std::size_t offset;
};

/// Lines end in \n (\r\n and \r are turned into it) and one final line end is dropped, as in Jinja.
std::string normalize_lines(std::string_view source);

/// Tokens of a normalized source with trim_blocks and lstrip_blocks; the last one is `end`.
/// Throws Fault for unbalanced tags, unknown characters, escapes and numbers.
std::vector<Token> lex(std::string_view source);

}  // namespace bitnet::chat
