// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/block128.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "bitnet/ternary/words.h"

namespace bitnet::block128 {
namespace {

void pack_block(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  // Eight codes at a time: none is above 3, so that no bit leaves its byte.
  for (std::int64_t p = 0; p < kBytes; p += 8) {
    const std::uint64_t word = (words::load(codes + p) << 6) | (words::load(codes + 32 + p) << 4) |
                               (words::load(codes + 64 + p) << 2) | words::load(codes + 96 + p);
    words::store(block + p, word);
  }
}

void unpack_block(const std::uint8_t* block, std::uint8_t* codes) noexcept {
  for (std::int64_t p = 0; p < kBytes; ++p) {
    codes[p] = static_cast<std::uint8_t>(block[p] >> 6);
    codes[32 + p] = static_cast<std::uint8_t>((block[p] >> 4) & 3);
    codes[64 + p] = static_cast<std::uint8_t>((block[p] >> 2) & 3);
    codes[96 + p] = static_cast<std::uint8_t>(block[p] & 3);
  }
}

}  // namespace

void pack_codes(const std::uint8_t* codes, std::int64_t columns, std::uint8_t* row) noexcept {
  std::int64_t c = 0;
  for (; c + kWeights <= columns; c += kWeights, row += kBytes) pack_block(codes + c, row);
  if (c == columns) return;
  std::uint8_t tail[kWeights];
  std::fill_n(tail, kWeights, std::uint8_t{1});
  std::copy(codes + c, codes + columns, tail);
  pack_block(tail, row);
}

void unpack_codes(const std::uint8_t* row, std::int64_t columns, std::uint8_t* codes) noexcept {
  std::int64_t c = 0;
  for (; c + kWeights <= columns; c += kWeights, row += kBytes) unpack_block(row, codes + c);
  if (c == columns) return;
  std::uint8_t tail[kWeights];
  unpack_block(row, tail);
  std::copy_n(tail, columns - c, codes + c);
}

void pack_row(const std::int8_t* weights, std::int64_t columns, std::uint8_t* row) noexcept {
  std::uint8_t codes[kWeights];
  for (std::int64_t c = 0; c < columns; c += kWeights, row += kBytes) {
    const std::int64_t count = std::min(kWeights, columns - c);
    for (std::int64_t i = 0; i < count; ++i)
      codes[i] = static_cast<std::uint8_t>(weights[c + i] + 1);
    pack_codes(codes, count, row);
  }
}

void unpack_row(const std::uint8_t* row, std::int64_t columns, std::int8_t* weights) noexcept {
  std::uint8_t codes[kWeights];
  for (std::int64_t c = 0; c < columns; c += kWeights, row += kBytes) {
    const std::int64_t count = std::min(kWeights, columns - c);
    unpack_codes(row, count, codes);
    for (std::int64_t i = 0; i < count; ++i)
      weights[c + i] = static_cast<std::int8_t>(codes[i] - 1);
  }
}

std::optional<TernaryFault> find_bad_code(const std::uint8_t* data, std::int64_t begin,
                                          std::int64_t end, std::int64_t columns) noexcept {
  const std::int64_t stride = row_bytes(columns);
  for (std::int64_t r = begin; r < end; ++r) {
    const std::uint8_t* row = data + r * stride;
    std::uint64_t bad = 0;
    for (std::int64_t i = 0; i < stride; i += 8) bad |= words::code3(words::load(row + i));
    if (bad == 0) [[likely]]
      continue;
    for (std::int64_t c = 0; c < stride * 4; ++c)
      if (code_at(row, c) == 3) return TernaryFault{TernaryFault::Kind::code, r, c, 3};
  }
  return std::nullopt;
}

std::int64_t count_zeros(const std::uint8_t* data, std::int64_t rows,
                         std::int64_t columns) noexcept {
  // A zero has code 01: bit 0 set, bit 1 clear. Padding has the same code.
  const std::int64_t stride = row_bytes(columns);
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < rows * stride; i += 8) {
    const std::uint64_t word = words::load(data + i);
    zeros += std::popcount(word & ~(word >> 1) & words::kLowBits);
  }
  return zeros - rows * (stride * 4 - columns);
}

std::int64_t dot_reference(const std::uint8_t* row, const std::int8_t* activations,
                           std::int64_t columns) noexcept {
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < columns; ++c)
    sum += (static_cast<std::int64_t>(code_at(row, c)) - 1) * activations[c];
  return sum;
}

}  // namespace bitnet::block128
