// SPDX-License-Identifier: MIT OR Apache-2.0
// Four int32 sums in a NEON register: what the kernels of both Arm ISAs add to.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Sums128 {
  static constexpr int kLanes = 4;
  struct Sum {
    int32x4_t v;
    void store(std::int32_t* p) const { vst1q_s32(p, v); }
    friend Sum operator+(Sum a, Sum b) { return {vaddq_s32(a.v, b.v)}; }
  };
  static Sum zero() { return {vdupq_n_s32(0)}; }
  static Sum load(const std::int32_t* p) { return {vld1q_s32(p)}; }
};

}  // namespace
}  // namespace bitnet::cpu
