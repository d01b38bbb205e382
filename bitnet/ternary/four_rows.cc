// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/four_rows.h"

#include <algorithm>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/words.h"

namespace bitnet::four_rows {
namespace {

constexpr std::uint8_t kFourZeros = 0x55;  // code 1 in every field: what pads the last block

/// 128 columns of bytes to one block of each row; returns the fields that held code 3.
std::uint64_t scatter_block(const std::uint8_t* bytes, std::int64_t at,
                            std::uint8_t* const (&rows)[4]) noexcept {
  std::uint64_t bad = 0;
  for (std::int64_t p = 0; p < block128::kBytes; p += 8) {
    const std::uint64_t a = words::load(bytes + p), b = words::load(bytes + 32 + p);
    const std::uint64_t c = words::load(bytes + 64 + p), d = words::load(bytes + 96 + p);
    bad |= words::code3(a) | words::code3(b) | words::code3(c) | words::code3(d);
    for (unsigned i = 0; i < 4; ++i)
      words::store(rows[i] + at + p, words::gather_field(a, b, c, d, 2 * i));
  }
  return bad;
}

void gather_block(const std::uint8_t* const (&rows)[4], std::int64_t at,
                  std::uint8_t* bytes) noexcept {
  for (std::int64_t p = 0; p < block128::kBytes; p += 8) {
    const std::uint64_t a = words::load(rows[3] + at + p), b = words::load(rows[2] + at + p);
    const std::uint64_t c = words::load(rows[1] + at + p), d = words::load(rows[0] + at + p);
    for (unsigned g = 0; g < 4; ++g)
      words::store(bytes + 32 * g + p, words::gather_field(a, b, c, d, 6 - 2 * g));
  }
}

}  // namespace

bool to_block128(const std::uint8_t* bytes, std::int64_t columns,
                 std::uint8_t* const (&rows)[4]) noexcept {
  std::uint64_t bad = 0;
  std::int64_t c = 0;
  for (; c + block128::kWeights <= columns; c += block128::kWeights)
    bad |= scatter_block(bytes + c, c / 4, rows);
  if (c < columns) {
    std::uint8_t tail[block128::kWeights];
    std::fill_n(tail, block128::kWeights, kFourZeros);
    std::copy(bytes + c, bytes + columns, tail);
    bad |= scatter_block(tail, c / 4, rows);
  }
  return bad == 0;
}

void from_block128(const std::uint8_t* const (&rows)[4], std::int64_t columns,
                   std::uint8_t* bytes) noexcept {
  std::int64_t c = 0;
  for (; c + block128::kWeights <= columns; c += block128::kWeights)
    gather_block(rows, c / 4, bytes + c);
  if (c == columns) return;
  std::uint8_t tail[block128::kWeights];
  gather_block(rows, c / 4, tail);
  std::copy_n(tail, columns - c, bytes + c);
}

}  // namespace bitnet::four_rows
