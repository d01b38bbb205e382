// SPDX-License-Identifier: MIT OR Apache-2.0
// The f16 scale of a TQ1_0 or TQ2_0 block, read and written under one rule.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

#include "bitnet/base/half.h"
#include "bitnet/ternary/words.h"

namespace bitnet::group_scale {

/// Whether the 64 bytes of two block128 blocks hold only code 1.
inline bool all_zero(const std::uint8_t* codes) noexcept {
  std::uint64_t other = 0;
  for (int i = 0; i < 64; i += 8) other |= words::load(codes + i) ^ words::kLowBits;
  return other == 0;
}

/// The scale at `half` for 256 weights: 0 where they are all zero, otherwise finite and above zero;
/// NaN marks a fault.
inline float read(const std::uint8_t* half, const std::uint8_t* codes) noexcept {
  std::uint16_t bits;
  std::memcpy(&bits, half, sizeof bits);
  const float scale = f16_to_f32(bits);
  if (!std::isfinite(scale) || scale < 0) return NAN;
  if (all_zero(codes)) return 0;
  return scale > 0 ? scale : NAN;
}

/// Writes the scale of 256 weights; 0 where they are all zero. False where half precision cannot
/// hold it.
inline bool write(float scale, const std::uint8_t* codes, std::uint8_t* half) noexcept {
  const std::uint16_t bits = all_zero(codes) ? std::uint16_t{0} : f32_to_f16(scale);
  std::memcpy(half, &bits, sizeof bits);
  return !std::isnan(read(half, codes));
}

}  // namespace bitnet::group_scale
