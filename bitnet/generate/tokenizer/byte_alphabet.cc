// SPDX-License-Identifier: MIT OR Apache-2.0
// GPT-2's byte alphabet: https://github.com/openai/gpt-2/blob/master/src/encoder.py
#include "bitnet/generate/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "bitnet/generate/tokenizer/unicode.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kCodes = 0x144;  // the alphabet's code points are below

constexpr bool stands_for_itself(std::uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<std::uint16_t, 256> kCodeOf = [] {
  std::array<std::uint16_t, 256> codes{};
  std::uint16_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte)
    codes[byte] = stands_for_itself(byte) ? static_cast<std::uint16_t>(byte) : next++;
  return codes;
}();

constexpr std::array<std::int16_t, kCodes> kByteOf = [] {
  std::array<std::int16_t, kCodes> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (std::size_t byte = 0; byte < 256; ++byte)
    bytes[kCodeOf[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}();

}  // namespace

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8(text, kCodeOf[static_cast<std::uint8_t>(byte)]);
  return text;
}

bool append_alphabet_bytes(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_code_point(text, at);
    const int byte = point.value < kCodes ? kByteOf[point.value] : -1;
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(byte);
    at += point.size;
  }
  return true;
}

std::optional<std::string> alphabet_to_bytes(std::string_view text) {
  std::string bytes;
  if (!append_alphabet_bytes(bytes, text)) return std::nullopt;
  return bytes;
}

}  // namespace bitnet
