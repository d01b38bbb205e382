// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/tq1_0.h"

#include <algorithm>
#include <array>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/group_scale.h"

namespace bitnet::tq1_0 {
namespace {

constexpr std::int64_t kDigitBytes = 52;
constexpr std::uint8_t kPowers[5] = {1, 3, 9, 27, 81};

constexpr unsigned stored(unsigned number) noexcept { return (number * 256 + 242) / 243; }

/// 1 for a byte that stores no number 0..242.
constexpr std::array<std::uint8_t, 256> kMeaningless = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(1);
  for (unsigned number = 0; number < 243; ++number) table[stored(number)] = 0;
  return table;
}();

/// Digit n of `count` bytes, each `count` weights apart from the digit before it.
template <int kCount, int kDigits>
void decode(const std::uint8_t* bytes, std::uint8_t* codes) noexcept {
  for (int n = 0; n < kDigits; ++n)
    for (int m = 0; m < kCount; ++m) {
      const auto shifted = static_cast<std::uint8_t>(bytes[m] * kPowers[n]);
      codes[n * kCount + m] =
          static_cast<std::uint8_t>(static_cast<std::uint16_t>(shifted * 3) >> 8);
    }
}

template <int kCount, int kDigits>
void encode(const std::uint8_t* codes, std::uint8_t* bytes) noexcept {
  for (int m = 0; m < kCount; ++m) {
    unsigned number = 0;
    for (int n = 0; n < 5; ++n) number = number * 3 + (n < kDigits ? codes[n * kCount + m] : 0u);
    bytes[m] = static_cast<std::uint8_t>(stored(number));
  }
}

/// Weight, within its block, of the first digit of byte i.
std::int64_t first_weight(std::int64_t i) noexcept {
  return i < 32 ? i : i < 48 ? 128 + i : 192 + i;
}

/// The first weight in row order whose byte is meaningless.
TernaryFault first_meaningless(const std::uint8_t* block, std::int64_t row,
                               std::int64_t group) noexcept {
  // Digits n = 0 of all bytes come before others of the same part, and the parts are in order.
  std::int64_t i = 0;
  while (kMeaningless[block[i]] == 0) ++i;
  return {TernaryFault::Kind::code, row, group * kWeights + first_weight(i),
          static_cast<double>(block[i])};
}

}  // namespace

std::optional<TernaryFault> to_block128(const std::uint8_t* blocks, std::int64_t columns,
                                        std::int64_t begin, std::int64_t end, std::uint8_t* out,
                                        float* group_scales) noexcept {
  const std::int64_t groups = columns / kWeights;
  std::uint8_t codes[kWeights];
  for (std::int64_t index = begin * groups; index < end * groups; ++index) {
    const std::uint8_t* block = blocks + index * kBytes;
    std::uint8_t* packed = out + index * 2 * block128::kBytes;
    unsigned meaningless = 0;
    for (std::int64_t i = 0; i < kDigitBytes; ++i) meaningless |= kMeaningless[block[i]];
    if (meaningless != 0) return first_meaningless(block, index / groups, index % groups);
    decode<32, 5>(block, codes);
    decode<16, 5>(block + 32, codes + 160);
    decode<4, 4>(block + 48, codes + 240);
    block128::pack_codes(codes, kWeights, packed);
    group_scales[index] = group_scale::read(block + kDigitBytes, packed);
    if (std::isnan(group_scales[index])) {
      std::uint16_t bits;
      std::memcpy(&bits, block + kDigitBytes, sizeof bits);
      return TernaryFault{TernaryFault::Kind::scale, index / groups, index % groups * kWeights,
                          f16_to_f32(bits)};
    }
  }
  return std::nullopt;
}

std::optional<TernaryFault> from_block128(const std::uint8_t* block128, std::int64_t rows,
                                          std::int64_t columns, const float* group_scales,
                                          std::uint8_t* blocks) noexcept {
  const std::int64_t groups = columns / kWeights;
  std::uint8_t codes[kWeights];
  for (std::int64_t index = 0; index < rows * groups; ++index) {
    const std::uint8_t* packed = block128 + index * 2 * block128::kBytes;
    std::uint8_t* block = blocks + index * kBytes;
    block128::unpack_codes(packed, kWeights, codes);
    encode<32, 5>(codes, block);
    encode<16, 5>(codes + 160, block + 32);
    encode<4, 4>(codes + 240, block + 48);
    if (!group_scale::write(group_scales[index], packed, block + kDigitBytes))
      return TernaryFault{TernaryFault::Kind::scale, index / groups, index % groups * kWeights,
                          group_scales[index]};
  }
  return std::nullopt;
}

}  // namespace bitnet::tq1_0
