// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/block160.h"

#include <algorithm>

namespace bitnet::block160 {
namespace {

std::uint8_t encode(const std::uint8_t* digits) noexcept {
  unsigned n = 0;
  for (int i = 0; i < 5; ++i) n = n * 3 + digits[i * kBytes];
  return static_cast<std::uint8_t>((n * 256 + 242) / 243);
}

// Which bytes encode() gives.
bool is_code(std::uint8_t byte) noexcept {
  const unsigned n = byte * 243u / 256;
  return (n * 256 + 242) / 243 == byte;
}

}  // namespace

void pack_row(const std::int8_t* weights, std::int64_t columns, std::uint8_t* row) noexcept {
  std::uint8_t digits[kWeights];
  for (std::int64_t c = 0; c < columns; c += kWeights, row += kBytes) {
    const std::int64_t count = std::min(kWeights, columns - c);
    std::fill(digits + count, digits + kWeights, std::uint8_t{1});
    for (std::int64_t i = 0; i < count; ++i)
      digits[i] = static_cast<std::uint8_t>(weights[c + i] + 1);
    for (std::int64_t p = 0; p < kBytes; ++p) row[p] = encode(digits + p);
  }
}

void unpack_row(const std::uint8_t* row, std::int64_t columns, std::int8_t* weights) noexcept {
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::int64_t within = c % kWeights;
    unsigned byte = row[c / kWeights * kBytes + within % kBytes];
    for (std::int64_t i = 0; i < within / kBytes; ++i) byte = byte * 3 & 255;
    weights[c] = static_cast<std::int8_t>(static_cast<int>(byte * 3 >> 8) - 1);
  }
}

std::optional<TernaryFault> find_bad_byte(const std::uint8_t* data, std::int64_t begin,
                                          std::int64_t end, std::int64_t columns) noexcept {
  const std::int64_t stride = row_bytes(columns);
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t i = 0; i < stride; ++i) {
      const std::uint8_t byte = data[r * stride + i];
      if (!is_code(byte))
        return TernaryFault{TernaryFault::Kind::code, r, i / kBytes * kWeights + i % kBytes,
                            static_cast<double>(byte)};
    }
  return std::nullopt;
}

}  // namespace bitnet::block160
