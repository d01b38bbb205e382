// SPDX-License-Identifier: MIT OR Apache-2.0
// UTF-8 after Unicode 16, table 3-7 (well-formed byte sequences).
#include "bitnet/generate/tokenizer/unicode.h"

#include <algorithm>

namespace bitnet {
namespace {

struct LeadByte {
  std::uint32_t size;                    // of the whole sequence; 0: not a lead byte
  std::uint8_t second_low, second_high;  // allowed range of the second byte
};

LeadByte lead_byte(std::uint8_t byte) noexcept {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes from `at` agree with the sequence that text[at] begins.
std::size_t matching_bytes(std::string_view text, std::size_t at, const LeadByte& lead) noexcept {
  const std::size_t end = std::min<std::size_t>(text.size() - at, lead.size);
  for (std::size_t i = 1; i < end; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[at + i]);
    const std::uint8_t low = i == 1 ? lead.second_low : std::uint8_t{0x80};
    const std::uint8_t high = i == 1 ? lead.second_high : std::uint8_t{0xBF};
    if (byte < low || byte > high) return i;
  }
  return end;
}

}  // namespace

CodePoint decode_code_point(std::string_view text, std::size_t at) noexcept {
  const auto first = static_cast<std::uint8_t>(text[at]);
  if (first < 0x80) return {first, 1};
  const LeadByte lead = lead_byte(first);
  if (lead.size == 0 || matching_bytes(text, at, lead) != lead.size) return {kBadByte, 1};
  std::uint32_t code = first & (0x7Fu >> lead.size);
  for (std::uint32_t i = 1; i < lead.size; ++i)
    code = code << 6 | (static_cast<std::uint8_t>(text[at + i]) & 0x3Fu);
  return {code, lead.size};
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto push = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return push(code);
  if (code < 0x800) {
    push(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      push(0xE0 | code >> 12);
    } else {
      push(0xF0 | code >> 18);
      push(0x80 | (code >> 12 & 0x3F));
    }
    push(0x80 | (code >> 6 & 0x3F));
  }
  push(0x80 | (code & 0x3F));
}

std::size_t incomplete_suffix(std::string_view text) noexcept {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::size_t at = text.size() - back;
    const LeadByte lead = lead_byte(static_cast<std::uint8_t>(text[at]));
    if (lead.size > back && matching_bytes(text, at, lead) == back) return back;
  }
  return 0;
}

}  // namespace bitnet
