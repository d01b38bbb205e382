// SPDX-License-Identifier: MIT OR Apache-2.0
// Code points: lenient UTF-8 decoding and the classes letter, number, white space (Unicode 16.0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet {

/// \p{L}, \p{N} and \s (White_Space) of a regular expression; everything else is `other`.
enum class CodeClass : std::uint8_t { other, letter, number, space };

namespace unicode_detail {
inline constexpr std::uint32_t kBlocks = 804;  // blocks of 256 code points; above: all `other`
extern const std::uint8_t kBlockOf[kBlocks];
extern const std::uint64_t kClassBits[];  // 8 words a block, 2 bits a code point
}  // namespace unicode_detail

inline CodeClass code_class(std::uint32_t code) noexcept {
  const std::uint32_t block = code >> 8;
  if (block >= unicode_detail::kBlocks) return CodeClass::other;
  const std::size_t word = unicode_detail::kBlockOf[block] * 8u + ((code >> 5) & 7u);
  return static_cast<CodeClass>((unicode_detail::kClassBits[word] >> (2 * (code & 31u))) & 3u);
}

/// One step through a text: a code point, or one byte that belongs to none.
struct CodePoint {
  std::uint32_t value;  // kBadByte for a byte that is not part of well-formed UTF-8
  std::uint32_t size;   // bytes, 1..4
};

/// U+FFFD stands for a bad byte (class `other`, like the real U+FFFD, which has size 3).
inline constexpr std::uint32_t kBadByte = 0xFFFD;

/// The code point at text[at], at < text.size(). Well-formed as in Unicode 16 table 3-7: no
/// overlong forms, no surrogates, nothing beyond U+10FFFF. Any other byte is a CodePoint{kBadByte,
/// 1}.
CodePoint decode_code_point(std::string_view text, std::size_t at) noexcept;

/// Appends the UTF-8 form of `code`, at most 0x10FFFF and no surrogate.
void append_utf8(std::string& out, std::uint32_t code);

/// How many bytes at the end of `text` begin a character that more bytes could complete: 0..3.
std::size_t incomplete_suffix(std::string_view text) noexcept;

}  // namespace bitnet
