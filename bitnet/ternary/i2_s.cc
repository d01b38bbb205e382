// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/i2_s.h"

#include <algorithm>
#include <cstring>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/four_rows.h"
#include "bitnet/ternary/words.h"

namespace bitnet::i2_s {
namespace {

constexpr std::int64_t kMaxBlockWeights = 128;

template <int kGroup>
void decode_block(const std::uint8_t* block, std::uint8_t* codes) noexcept {
  for (int p = 0; p < kGroup; ++p) {
    codes[p] = static_cast<std::uint8_t>(block[p] >> 6);
    codes[kGroup + p] = static_cast<std::uint8_t>((block[p] >> 4) & 3);
    codes[2 * kGroup + p] = static_cast<std::uint8_t>((block[p] >> 2) & 3);
    codes[3 * kGroup + p] = static_cast<std::uint8_t>(block[p] & 3);
  }
}

/// Codes of a flat stream, in order, from any element on.
class CodeStream {
 public:
  CodeStream(const std::uint8_t* stream, std::int64_t group, std::int64_t first) noexcept
      : next_(stream + first / (4 * group) * group), group_(group), used_(first % (4 * group)) {
    if (used_ != 0) decode();
  }

  void take(std::int64_t count, std::uint8_t* codes) noexcept {
    while (count > 0) {
      if (used_ == 0) decode();
      const std::int64_t piece = std::min(count, 4 * group_ - used_);
      std::memcpy(codes, codes_ + used_, static_cast<std::size_t>(piece));
      codes += piece;
      count -= piece;
      used_ = (used_ + piece) % (4 * group_);
    }
  }

 private:
  void decode() noexcept {
    if (group_ == 32)
      decode_block<32>(next_, codes_);
    else
      decode_block<16>(next_, codes_);
    next_ += group_;
  }

  const std::uint8_t* next_;
  std::int64_t group_, used_;
  std::uint8_t codes_[kMaxBlockWeights];
};

/// Two blocks of 64 (16 bytes each) to one of 128. With bytes a, b of the blocks and fields 3..0
/// from the top, weights p, 32 + p, 64 + p, 96 + p are fields 3 and 1 of a and b for p < 16, and 2
/// and 0 of them for the 16 after.
void join_blocks_of_64(const std::uint8_t* pair, std::uint8_t* block) noexcept {
  constexpr std::uint64_t k3 = words::kLowField << 6, k2 = words::kLowField << 4;
  constexpr std::uint64_t k1 = words::kLowField << 2, k0 = words::kLowField;
  for (int p = 0; p < 16; p += 8) {
    const std::uint64_t a = words::load(pair + p), b = words::load(pair + 16 + p);
    words::store(block + p, (a & k3) | ((a & k1) << 2) | ((b & k3) >> 4) | ((b & k1) >> 2));
    words::store(block + 16 + p, ((a & k2) << 2) | ((a & k0) << 4) | ((b & k2) >> 2) | (b & k0));
  }
}

}  // namespace

std::optional<TernaryFault> stream_to_block128(const std::uint8_t* stream, std::int64_t group,
                                               std::int64_t columns, std::int64_t begin,
                                               std::int64_t end, std::uint8_t* out) noexcept {
  const std::int64_t stride = block128::row_bytes(columns);
  if (group == block128::kBytes && columns % block128::kWeights == 0) {
    std::memcpy(out + begin * stride, stream + begin * stride,
                static_cast<std::size_t>((end - begin) * stride));
  } else if (group == block128::kBytes / 2 && columns % block128::kWeights == 0) {
    for (std::int64_t at = begin * stride; at < end * stride; at += block128::kBytes)
      join_blocks_of_64(stream + at, out + at);
  } else {
    CodeStream source(stream, group, begin * columns);
    std::uint8_t codes[block128::kWeights];
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t c = 0; c < columns; c += block128::kWeights) {
        const std::int64_t count = std::min(block128::kWeights, columns - c);
        source.take(count, codes);
        block128::pack_codes(codes, count, out + r * stride + c / 4);
      }
    }
  }
  return block128::find_bad_code(out, begin, end, columns);
}

void stream_from_block128(const std::uint8_t* block128, std::int64_t group, std::int64_t rows,
                          std::int64_t columns, std::uint8_t* stream) noexcept {
  const std::int64_t stride = block128::row_bytes(columns);
  if (group == block128::kBytes && columns % block128::kWeights == 0) {
    std::memcpy(stream, block128, static_cast<std::size_t>(rows * stride));
    return;
  }
  std::memset(stream, 0, static_cast<std::size_t>(rows * columns / 4));
  std::int64_t element = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c, ++element) {
      const std::int64_t within = element % (4 * group);
      const unsigned field = block128::code_at(block128 + r * stride, c)
                             << (6 - 2 * (within / group));
      std::uint8_t& byte = stream[element / (4 * group) * group + within % group];
      byte = static_cast<std::uint8_t>(byte | field);
    }
  }
}

std::optional<TernaryFault> act_parallel_to_block128(const std::uint8_t* packed,
                                                     std::int64_t columns, std::int64_t begin,
                                                     std::int64_t end, std::uint8_t* out) noexcept {
  const std::int64_t stride = block128::row_bytes(columns);
  bool good = true;
  for (std::int64_t g = begin; g < end; ++g) {
    std::uint8_t* row = out + 4 * g * stride;
    std::uint8_t* const four[4] = {row + 3 * stride, row + 2 * stride, row + stride, row};
    good &= four_rows::to_block128(packed + g * columns, columns, four);
  }
  if (good) return std::nullopt;
  return block128::find_bad_code(out, 4 * begin, 4 * end, columns);
}

void act_parallel_from_block128(const std::uint8_t* block128, std::int64_t rows,
                                std::int64_t columns, std::uint8_t* packed) noexcept {
  const std::int64_t stride = block128::row_bytes(columns);
  for (std::int64_t g = 0; g < rows / 4; ++g) {
    const std::uint8_t* row = block128 + 4 * g * stride;
    const std::uint8_t* const four[4] = {row + 3 * stride, row + 2 * stride, row + stride, row};
    four_rows::from_block128(four, columns, packed + g * columns);
  }
}

}  // namespace bitnet::i2_s
