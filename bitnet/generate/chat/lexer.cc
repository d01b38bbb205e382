// SPDX-License-Identifier: MIT OR Apache-2.0
// Jinja's lexical rules: https://jinja.palletsprojects.com/en/3.1.x/templates/ (white space
// control).
#include "bitnet/generate/chat/lexer.h"

#include <algorithm>
#include <array>

#include "bitnet/generate/chat/fault.h"
#include "bitnet/generate/chat/python_text.h"
#include "bitnet/generate/tokenizer/unicode.h"

namespace bitnet::chat {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_name_start(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = next_tag();
      const bool is_tag = tag + 2 < source_.size();
      const char kind = is_tag ? source_[tag + 1] : '\0';
      if (tag == source_.size()) {
        add_text(source_.substr(at_));
        at_ = tag;
      } else if (!is_tag) {
        fault(tag, "a tag without an end");
      } else {
        text_before(tag, kind, source_[tag + 2]);
        at_ = tag + 2;
        if (source_[at_] == '-' || source_[at_] == '+') ++at_;
        if (kind == '#')
          comment(tag);
        else
          inside(tag, kind == '{' ? "}}" : "%}");
      }
    }
    tokens_.push_back({TokenKind::end, "", source_.size()});
    return std::move(tokens_);
  }

 private:
  std::size_t next_tag() const {
    for (std::size_t at = at_; (at = source_.find('{', at)) != source_.npos; ++at)
      if (at + 1 < source_.size() && std::string_view("{%#").find(source_[at + 1]) != source_.npos)
        return at;
    return source_.size();
  }

  void add_text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({TokenKind::text, std::string(text), at_});
  }

  // The text up to the tag; "-" strips it, lstrip_blocks takes the white space on the tag's line.
  void text_before(std::size_t tag, char kind, char sign) {
    std::string_view text = source_.substr(at_, tag - at_);
    if (sign == '-') {
      text = strip(text, Side::right);
    } else if (sign != '+' && kind != '{') {
      const std::size_t line = text.rfind('\n') + 1;  // 0 where there is none
      const bool starts_line = line > 0 || line_starting_;
      if (starts_line && strip(text.substr(line), Side::both).empty()) text = text.substr(0, line);
    }
    add_text(text);
  }

  // What follows a tag's end: "-" strips white space, trim_blocks takes a new line.
  void after(char sign, bool trims) {
    if (sign == '-') {
      while (at_ < source_.size()) {
        const CodePoint point = decode_code_point(source_, at_);
        if (!is_python_space(point.value)) break;
        at_ += point.size;
      }
    } else if (trims && sign != '+' && at_ < source_.size() && source_[at_] == '\n') {
      ++at_;
    }
    line_starting_ = source_[at_ - 1] == '\n';
  }

  void comment(std::size_t tag) {
    const std::size_t end = source_.find("#}", at_);
    if (end == source_.npos) fault(tag, "a comment without an end");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    at_ = end + 2;
    after(sign, true);
  }

  void inside(std::size_t tag, std::string_view close) {
    const bool output = close == "}}";
    add(output ? TokenKind::output_begin : TokenKind::block_begin, tag, at_ - tag);
    std::string open;  // brackets not yet closed
    for (;;) {
      while (at_ < source_.size() && is_python_space(decode_code_point(source_, at_).value))
        at_ += decode_code_point(source_, at_).size;
      if (at_ >= source_.size()) fault(tag, "a tag without an end");
      const bool has_sign = source_[at_] == '-' || (source_[at_] == '+' && !output);
      if (open.empty() && source_.substr(at_ + (has_sign ? 1 : 0), 2) == close) {
        const char sign = has_sign ? source_[at_] : '\0';
        add(output ? TokenKind::output_end : TokenKind::block_end, at_, has_sign ? 3 : 2);
        return after(sign, !output);
      }
      token(open);
    }
  }

  void add(TokenKind kind, std::size_t from, std::size_t size) {
    tokens_.push_back({kind, std::string(source_.substr(from, size)), from});
    at_ = from + size;
  }

  void token(std::string& open) {
    const char c = source_[at_];
    if (is_name_start(c)) return name();
    if (is_digit(c)) return number();
    if (c == '"' || c == '\'') return string(c);
    static constexpr std::array<std::string_view, 5> kDouble{"==", "!=", "<=", ">=", "//"};
    const bool pair =
        std::find(kDouble.begin(), kDouble.end(), source_.substr(at_, 2)) != kDouble.end();
    if (!pair && std::string_view("+-*/%~<>=.:|,()[]{}").find(c) == std::string_view::npos)
      fault(at_, "unexpected character \"" + printable(source_.substr(at_, 1)) + '"');
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : static_cast<char>(c + 2);
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) fault(at_, std::string("unexpected \"") + c + '"');
      open.pop_back();
    }
    add(TokenKind::op, at_, pair ? 2 : 1);
  }

  void name() {
    std::size_t end = at_;
    while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
    add(TokenKind::name, at_, end - at_);
  }

  void number() {
    const auto digits = [this](std::size_t from) {
      while (from < source_.size() && is_digit(source_[from])) ++from;
      return from;
    };
    std::size_t end = digits(at_);
    TokenKind kind = TokenKind::integer;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      end = digits(end + 1);
      kind = TokenKind::real;
    }
    if (end < source_.size() && is_name_start(source_[end]))
      fault(at_, "only plain decimal numbers are supported", Errc::unsupported);
    add(kind, at_, end - at_);
  }

  void string(char quote) {
    const std::size_t start = at_++;
    std::string text;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\' && at_ + 1 < source_.size())
        escape(text);
      else
        text += source_[at_++];
    }
    if (at_ >= source_.size()) fault(start, "a string without an end");
    ++at_;
    tokens_.push_back({TokenKind::string, std::move(text), start});
  }

  void escape(std::string& text) {
    const std::size_t start = at_;
    const char c = source_[at_ + 1];
    at_ += 2;
    constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
    if (const std::size_t which = kFrom.find(c); which != kFrom.npos) {
      text += kTo[which];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      hex_escape(text, start, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (is_digit(c) || c == 'N') {
      fault(start, "octal and named escapes are not supported", Errc::unsupported);
    } else if (c != '\n') {
      text.append(1, '\\').append(1, c);  // Python keeps unknown escapes
    }
  }

  void hex_escape(std::string& text, std::size_t start, std::size_t size) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < size; ++i, ++at_) {
      const char c = at_ < source_.size() ? source_[at_] : '\0';
      const bool letter = (c | 32) >= 'a' && (c | 32) <= 'f';
      if (!letter && !is_digit(c)) fault(start, "a bad escape in a string");
      code = code * 16 + static_cast<std::uint32_t>(letter ? (c | 32) - 'a' + 10 : c - '0');
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
      fault(start, "an escape in a string names no character");
    append_utf8(text, code);
  }

  std::string_view source_;
  std::size_t at_ = 0;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalize_lines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::vector<Token> lex(std::string_view source) { return Lexer(source).run(); }

}  // namespace bitnet::chat
