// SPDX-License-Identifier: MIT OR Apache-2.0
// Methods of Python's str.
#include "bitnet/generate/chat/python_text.h"

#include <algorithm>
#include <functional>

#include "bitnet/generate/tokenizer/unicode.h"

namespace bitnet::chat {
namespace {

// Knuth, Morris, Pratt: for long parts, where trying every place could take quadratic time.
std::size_t find_long(std::string_view text, std::string_view part, std::size_t from) {
  std::vector<std::size_t> border(part.size() + 1, 0);
  for (std::size_t i = 1, k = 0; i < part.size(); ++i) {
    while (k > 0 && part[i] != part[k]) k = border[k];
    if (part[i] == part[k]) ++k;
    border[i + 1] = k;
  }
  for (std::size_t i = from, k = 0; i < text.size(); ++i) {
    while (k > 0 && text[i] != part[k]) k = border[k];
    if (text[i] == part[k]) ++k;
    if (k == part.size()) return i + 1 - k;
  }
  return text.npos;
}

}  // namespace

bool is_python_space(std::uint32_t code) noexcept {
  return code_class(code) == CodeClass::space || (code >= 0x1C && code <= 0x1F);
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> all;
  for (std::size_t at = 0; at < text.size(); at += all.back().size())
    all.push_back(text.substr(at, decode_code_point(text, at).size));
  return all;
}

std::int64_t count_characters(std::string_view text) noexcept {
  std::int64_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += decode_code_point(text, at).size) ++count;
  return count;
}

std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> wanted) {
  std::vector<std::string_view> set = characters(wanted.value_or(""));
  std::sort(set.begin(), set.end());
  const auto goes = [&](std::size_t at, std::uint32_t size) {
    if (!wanted) return is_python_space(decode_code_point(text, at).value);
    return std::binary_search(set.begin(), set.end(), text.substr(at, size));
  };
  if (side != Side::right) {
    std::size_t at = 0;
    while (at < text.size()) {
      const std::uint32_t size = decode_code_point(text, at).size;
      if (!goes(at, size)) break;
      at += size;
    }
    text.remove_prefix(at);
  }
  if (side != Side::left) {
    while (!text.empty()) {
      // The last character: as many bytes back as make one code point, else one bad byte.
      std::uint32_t size = 1;
      for (std::uint32_t back = 1; back <= std::min<std::size_t>(4, text.size()); ++back)
        if (decode_code_point(text, text.size() - back).size == back) size = back;
      if (!goes(text.size() - size, size)) break;
      text.remove_suffix(size);
    }
  }
  return text;
}

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
  return part.size() <= 16 ? text.find(part, from) : find_long(text, part, from);
}

std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t limit) {
  std::string out;
  std::size_t at = 0;
  for (; limit != 0; --limit) {
    const std::size_t hit = find_text(text, from, at);
    if (hit == text.npos) break;
    out.append(text.substr(at, hit - at)).append(to);
    at = hit + from.size();
    if (from.empty()) {  // Python puts `to` before every character and at the end
      if (hit == text.size()) return out;
      const std::uint32_t size = decode_code_point(text, hit).size;
      out.append(text.substr(hit, size));
      at = hit + size;
    }
  }
  return out.append(text.substr(at));
}

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               std::int64_t limit) {
  std::vector<std::string> parts;
  const auto may_cut = [&] { return limit < 0 || static_cast<std::int64_t>(parts.size()) < limit; };
  if (separator) {
    while (may_cut()) {
      const std::size_t hit = find_text(text, *separator);
      if (hit == text.npos) break;
      parts.emplace_back(text.substr(0, hit));
      text.remove_prefix(hit + separator->size());
    }
    parts.emplace_back(text);
    return parts;
  }
  text = strip(text, Side::left);
  while (!text.empty() && may_cut()) {
    std::size_t end = 0;
    while (end < text.size()) {
      const CodePoint point = decode_code_point(text, end);
      if (is_python_space(point.value)) break;
      end += point.size;
    }
    parts.emplace_back(text.substr(0, end));
    text = strip(text.substr(end), Side::left);
  }
  if (!text.empty()) parts.emplace_back(text);
  return parts;
}

std::optional<std::string> change_case(std::string_view text, Case to) {
  std::string out;
  bool inside = false;  // of a word
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return std::nullopt;
    const bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    const bool up = to == Case::upper || (to != Case::lower && !inside);
    out += !letter ? c : static_cast<char>(up ? c & ~32 : c | 32);
    inside = letter || to == Case::capitalize;
  }
  return out;
}

}  // namespace bitnet::chat
