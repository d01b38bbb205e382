// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/lookup_tiles.h"

#include <cstring>

#include "bitnet/ternary/block128.h"

namespace bitnet::lookup_tiles {
namespace {

constexpr std::array<Weights, 256> decoded() {
  std::array<Weights, 256> all{};
  for (int m = -121; m <= 121; ++m) {
    Weights& w = all[byte_of(m)];
    int rest = m + 121;  // digits w + 1
    for (std::int8_t& digit : w) {
      digit = static_cast<std::int8_t>(rest % 3 - 1);
      rest /= 3;
    }
  }
  return all;
}
constexpr std::array<Weights, 256> kDecoded = decoded();

}  // namespace

const std::array<Weights, 256>& weights_of_bytes() noexcept { return kDecoded; }

void pack(const std::uint8_t* block128_rows, std::int64_t row_bytes, std::int64_t rows,
          std::int64_t cols, std::int64_t begin, std::int64_t end, std::uint8_t* out) noexcept {
  const std::int64_t count = groups(cols);
  for (std::int64_t row = begin * kStripRows; row < end * kStripRows; ++row) {
    const StripPlace at = place(row / kStripRows, rows, count);
    std::int32_t negatives = 0;
    for (std::int64_t g = 0; g < count; ++g) {
      int m = 0;
      for (std::int64_t k = kDigits; k-- > 0;) {
        const std::int64_t col = column_at(k * count + g);
        const bool inside = row < rows && col < cols;
        const std::uint8_t* codes = block128_rows + row * row_bytes;
        m = 3 * m + (inside ? static_cast<int>(block128::code_at(codes, col)) - 1 : 0);
      }
      const std::uint8_t byte = byte_of(m);
      out[at.offset + g * at.stride + row % kStripRows] = byte;
      negatives += byte >> 7;
    }
    std::memcpy(out + code_bytes(rows, cols) + 4 * row, &negatives, 4);
  }
}

}  // namespace bitnet::lookup_tiles
