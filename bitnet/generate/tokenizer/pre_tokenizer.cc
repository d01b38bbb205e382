// SPDX-License-Identifier: MIT OR Apache-2.0
// Scanners equal to the regular expressions of GPT-2, Llama-3 and Qwen2 (leftmost alternative
// wins).
#include "bitnet/generate/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <limits>

#include "bitnet/generate/tokenizer/unicode.h"

namespace bitnet {
namespace {

enum class Kind : std::uint8_t { symbol, letter, number, space, new_line };

struct Step {
  Kind kind;
  std::uint32_t size;
};

constexpr std::array<Kind, 128> kAscii = [] {
  std::array<Kind, 128> kinds{};
  for (std::size_t c = 0; c < kinds.size(); ++c) {
    if ((c | 32) >= 'a' && (c | 32) <= 'z') kinds[c] = Kind::letter;
    if (c >= '0' && c <= '9') kinds[c] = Kind::number;
    if (c == ' ' || (c >= 9 && c <= 13)) kinds[c] = Kind::space;
    if (c == '\n' || c == '\r') kinds[c] = Kind::new_line;
  }
  return kinds;
}();

Step step_at(std::string_view text, std::size_t at) noexcept {
  const auto byte = static_cast<std::uint8_t>(text[at]);
  if (byte < 0x80) return {kAscii[byte], 1};
  const CodePoint point = decode_code_point(text, at);
  switch (code_class(point.value)) {
    case CodeClass::letter:
      return {Kind::letter, point.size};
    case CodeClass::number:
      return {Kind::number, point.size};
    case CodeClass::space:
      return {Kind::space, point.size};
    case CodeClass::other:
      break;
  }
  return {Kind::symbol, point.size};
}

std::size_t skip(std::string_view text, std::size_t at, Kind kind,
                 std::size_t limit = std::numeric_limits<std::size_t>::max()) noexcept {
  for (std::size_t count = 0; at < text.size() && count < limit; ++count) {
    const Step step = step_at(text, at);
    if (step.kind != kind) break;
    at += step.size;
  }
  return at;
}

bool is_space(Kind kind) noexcept { return kind == Kind::space || kind == Kind::new_line; }

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; }

// 's|'t|'re|'ve|'m|'ll|'d with text[at] == '\'': bytes matched, 0 if none.
std::size_t contraction(std::string_view text, std::size_t at, bool any_case) noexcept {
  const auto letter = [&](std::size_t i) {
    if (at + i >= text.size()) return '\0';
    return any_case ? lower(text[at + i]) : text[at + i];
  };
  const char first = letter(1);
  const char second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  if (first == 'l' && second == 'l') return 3;
  // U+017F, the long s, folds to s.
  if (any_case && text.substr(at + 1, 2) == "\xC5\xBF") return 3;
  return 0;
}

// The white space from `at` on, text[at] being one: \s*[\r\n]+ if `lines`, then \s+(?!\S)|\s+.
std::size_t space_piece(std::string_view text, std::size_t at, bool lines) noexcept {
  std::size_t end = at, last = at, line_end = at;
  while (end < text.size()) {
    const Step step = step_at(text, end);
    if (!is_space(step.kind)) break;
    last = end;
    end += step.size;
    if (step.kind == Kind::new_line) line_end = end;
  }
  if (lines && line_end > at) return line_end;
  // The last white space before a word belongs to the word, unless it is the only one.
  return end == text.size() || last == at ? end : last;
}

std::size_t gpt2_piece(std::string_view text, std::size_t at) noexcept {
  if (text[at] == '\'') {
    if (const std::size_t size = contraction(text, at, false)) return at + size;
  }
  Step step = step_at(text, at);
  std::size_t word = at;
  if (text[at] == ' ' && at + 1 < text.size()) {
    const Step next = step_at(text, at + 1);
    if (!is_space(next.kind)) {
      step = next;
      word = at + 1;
    }
  }
  if (is_space(step.kind)) return space_piece(text, at, false);
  return skip(text, word + step.size, step.kind);
}

std::size_t llama3_piece(std::string_view text, std::size_t at, std::size_t digits) noexcept {
  if (text[at] == '\'') {
    if (const std::size_t size = contraction(text, at, true)) return at + size;
  }
  const Step step = step_at(text, at);
  const std::size_t next = at + step.size;
  if (step.kind == Kind::letter) return skip(text, next, Kind::letter);
  if (step.kind == Kind::number) return skip(text, next, Kind::number, digits - 1);
  const bool more = next < text.size();
  const Kind following = more ? step_at(text, next).kind : Kind::space;
  if (step.kind != Kind::new_line && following == Kind::letter)
    return skip(text, next, Kind::letter);
  if (step.kind == Kind::symbol || (text[at] == ' ' && following == Kind::symbol))
    return skip(text, skip(text, next, Kind::symbol), Kind::new_line);
  return space_piece(text, at, true);
}

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace

std::string_view pattern_of(PreTokenizer pre) noexcept {
  switch (pre) {
    case PreTokenizer::whole:
      return {};
    case PreTokenizer::gpt2:
      return kGpt2;
    case PreTokenizer::llama3:
      return kLlama3;
    case PreTokenizer::qwen2:
      return kQwen2;
  }
  return {};
}

std::optional<PreTokenizer> pre_tokenizer_from_pattern(std::string_view pattern) noexcept {
  for (const PreTokenizer pre : kPreTokenizers)
    if (!pattern.empty() && pattern_of(pre) == pattern) return pre;
  return std::nullopt;
}

std::optional<PreTokenizerName> find_pre_tokenizer(std::string_view name) noexcept {
  for (const PreTokenizerName& row : kPreTokenizerNames)
    if (row.name == name) return row;
  return std::nullopt;
}

std::optional<PreTokenizer> pre_tokenizer_from_name(std::string_view name) noexcept {
  const auto row = find_pre_tokenizer(name);
  return row ? std::optional(row->pre) : std::nullopt;
}

std::string_view name_of(PreTokenizer pre) noexcept {
  for (const PreTokenizerName& row : kPreTokenizerNames)
    if (row.pre == pre) return row.name;
  return {};
}

std::size_t next_piece(PreTokenizer pre, std::string_view text, std::size_t at) noexcept {
  switch (pre) {
    case PreTokenizer::whole:
      return text.size();
    case PreTokenizer::gpt2:
      return gpt2_piece(text, at);
    case PreTokenizer::llama3:
      return llama3_piece(text, at, 3);
    case PreTokenizer::qwen2:
      return llama3_piece(text, at, 1);
  }
  return text.size();
}

}  // namespace bitnet
