// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/tq2_0.h"

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/group_scale.h"
#include "bitnet/ternary/words.h"

namespace bitnet::tq2_0 {
namespace {

constexpr std::int64_t kCodeBytes = 64;

std::uint16_t half_at(const std::uint8_t* at) noexcept {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

void reverse(const std::uint8_t* from, std::uint8_t* to) noexcept {
  for (std::int64_t i = 0; i < kCodeBytes; i += 8)
    words::store(to + i, words::reverse_fields(words::load(from + i)));
}

}  // namespace

std::optional<TernaryFault> to_block128(const std::uint8_t* blocks, std::int64_t columns,
                                        std::int64_t begin, std::int64_t end, std::uint8_t* out,
                                        float* group_scales) noexcept {
  const std::int64_t groups = columns / kWeights;
  for (std::int64_t r = begin; r < end; ++r) {
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t index = r * groups + g;
      const std::uint8_t* block = blocks + index * kBytes;
      std::uint8_t* codes = out + index * kCodeBytes;
      reverse(block, codes);
      group_scales[index] = group_scale::read(block + kCodeBytes, codes);
      if (std::isnan(group_scales[index]))
        return TernaryFault{TernaryFault::Kind::scale, r, g * kWeights,
                            f16_to_f32(half_at(block + kCodeBytes))};
    }
    if (auto fault = block128::find_bad_code(out, r, r + 1, columns)) return fault;
  }
  return std::nullopt;
}

std::optional<TernaryFault> from_block128(const std::uint8_t* block128, std::int64_t rows,
                                          std::int64_t columns, const float* group_scales,
                                          std::uint8_t* blocks) noexcept {
  const std::int64_t groups = columns / kWeights;
  for (std::int64_t index = 0; index < rows * groups; ++index) {
    const std::uint8_t* codes = block128 + index * kCodeBytes;
    std::uint8_t* block = blocks + index * kBytes;
    reverse(codes, block);
    if (!group_scale::write(group_scales[index], codes, block + kCodeBytes))
      return TernaryFault{TernaryFault::Kind::scale, index / groups, index % groups * kWeights,
                          group_scales[index]};
  }
  return std::nullopt;
}

}  // namespace bitnet::tq2_0
