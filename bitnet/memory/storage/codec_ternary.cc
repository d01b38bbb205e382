// SPDX-License-Identifier: MIT OR Apache-2.0
// int8 values -1, 0 and +1: five to a byte, as digits 0 to 2 of base 3, the first the lowest.
#include <algorithm>

#include "bitnet/memory/storage/codec_rows.h"

namespace bitnet::storage {
namespace {

constexpr int kDigits = 5;

std::size_t bound(std::size_t bytes) { return (bytes + kDigits - 1) / kDigits; }

std::size_t compress(std::span<const std::byte> from, std::byte* to) {
  std::size_t written = 0;
  for (std::size_t i = 0; i < from.size(); i += kDigits) {
    unsigned code = 0;
    for (std::size_t k = std::min<std::size_t>(kDigits, from.size() - i); k-- > 0;) {
      // -1, 0, 1 are 255, 0, 1: one more is 0, 1, 2, and all else above.
      const unsigned digit = (std::to_integer<unsigned>(from[i + k]) + 1) & 0xFF;
      if (digit > 2) return 0;
      code = code * 3 + digit;
    }
    to[written++] = static_cast<std::byte>(code);
  }
  return written;
}

bool decompress(std::span<const std::byte> from, std::span<std::byte> to) {
  if (from.size() != bound(to.size())) return false;
  for (std::size_t i = 0; i < from.size(); ++i) {
    unsigned code = std::to_integer<unsigned>(from[i]);
    const std::size_t count = std::min<std::size_t>(kDigits, to.size() - i * kDigits);
    for (std::size_t k = 0; k < count; ++k, code /= 3)
      to[i * kDigits + k] = static_cast<std::byte>(code % 3 + 255);
    if (code != 0) return false;  // a digit behind the last value, or 243 to 255
  }
  return true;
}

}  // namespace

BlockCodec ternary_codec() noexcept {
  return {CodecId::ternary, "ternary", bound, compress, decompress};
}

}  // namespace bitnet::storage
