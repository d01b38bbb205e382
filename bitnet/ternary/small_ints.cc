// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/small_ints.h"

#include <algorithm>

namespace bitnet::small_ints {
namespace {

int bits_of(DType type) noexcept { return type == DType::i4 ? 4 : type == DType::i2 ? 2 : 1; }

unsigned code_of(DType type, std::int8_t value) noexcept {
  if (type == DType::i1) return value >= 0;
  return static_cast<unsigned>(value) & ((1u << bits_of(type)) - 1);
}

std::int8_t value_of(DType type, unsigned code) noexcept {
  if (type == DType::i1) return code ? 1 : -1;
  const int sign = 1 << (bits_of(type) - 1);
  return static_cast<std::int8_t>((static_cast<int>(code) ^ sign) - sign);
}

}  // namespace

void pack_row(DType type, const std::int8_t* values, std::int64_t columns,
              std::uint8_t* row) noexcept {
  const int bits = bits_of(type);
  const std::int64_t in_byte = 8 / bits;
  for (std::int64_t c = 0; c < columns; c += in_byte) {
    unsigned byte = 0;
    for (std::int64_t i = 0; i < std::min(in_byte, columns - c); ++i)
      byte |= code_of(type, values[c + i]) << (i * bits);
    *row++ = static_cast<std::uint8_t>(byte);
  }
}

void unpack_row(DType type, const std::uint8_t* row, std::int64_t columns,
                std::int8_t* values) noexcept {
  const int bits = bits_of(type);
  const unsigned mask = (1u << bits) - 1;
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::int64_t bit = c * bits;
    values[c] = value_of(type, (unsigned{row[bit / 8]} >> (bit % 8)) & mask);
  }
}

}  // namespace bitnet::small_ints
