// SPDX-License-Identifier: MIT OR Apache-2.0
// Four int32 sums in a NEON register, for sketch_dot_impl.h. Codes are below 32: signed products.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Dot128 {
  static constexpr int kBytes = 16, kTokens = 8;
  typedef std::uint16_t Words __attribute__((vector_size(16)));
  struct Sum {
    int32x4_t v;
    void store(std::int32_t* p) const { vst1q_s32(p, v); }
  };
  static constexpr bool kLargeCodes = false;
  static Sum zero() { return {vdupq_n_s32(0)}; }
  static Sum joined(Sum high, Sum low, std::int32_t start) {
    const int32x4_t v = vaddq_s32(vshlq_n_s32(high.v, 7), low.v);
    return {vaddq_s32(vshlq_n_s32(v, 1), vdupq_n_s32(start))};
  }
  static int8x16_t repeated(std::int32_t four) { return vreinterpretq_s8_s32(vdupq_n_s32(four)); }
};

}  // namespace
}  // namespace bitnet::cpu
