// SPDX-License-Identifier: MIT OR Apache-2.0
// F32x16 in four NEON registers. Contracts: simd/scalar.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Mask16 {
  uint32x4_t q0, q1, q2, q3;  // all bits of a lane or none

  friend Mask16 operator&(Mask16 x, Mask16 y) {
    return {vandq_u32(x.q0, y.q0), vandq_u32(x.q1, y.q1), vandq_u32(x.q2, y.q2),
            vandq_u32(x.q3, y.q3)};
  }
  friend Mask16 operator|(Mask16 x, Mask16 y) {
    return {vorrq_u32(x.q0, y.q0), vorrq_u32(x.q1, y.q1), vorrq_u32(x.q2, y.q2),
            vorrq_u32(x.q3, y.q3)};
  }
  Mask16 operator!() const { return {vmvnq_u32(q0), vmvnq_u32(q1), vmvnq_u32(q2), vmvnq_u32(q3)}; }
  bool all() const {
    return vminvq_u32(vandq_u32(vandq_u32(q0, q1), vandq_u32(q2, q3))) == 0xffffffffu;
  }
  static Mask16 of_bits(std::uint16_t bits) {
    const uint32x4_t all = vdupq_n_u32(bits);
    const uint32x4_t lane = vshlq_u32(vdupq_n_u32(1), int32x4_t{0, 1, 2, 3});
    return {vtstq_u32(all, lane), vtstq_u32(all, vshlq_n_u32(lane, 4)),
            vtstq_u32(all, vshlq_n_u32(lane, 8)), vtstq_u32(all, vshlq_n_u32(lane, 12))};
  }
  static Mask16 load(const std::uint8_t* p) {
    const uint8x16_t q = vld1q_u8(p);
    const int8x16_t set = vreinterpretq_s8_u8(vtstq_u8(q, q));
    const int16x8_t a = vmovl_s8(vget_low_s8(set)), b = vmovl_s8(vget_high_s8(set));
    return {vreinterpretq_u32_s32(vmovl_s16(vget_low_s16(a))),
            vreinterpretq_u32_s32(vmovl_s16(vget_high_s16(a))),
            vreinterpretq_u32_s32(vmovl_s16(vget_low_s16(b))),
            vreinterpretq_u32_s32(vmovl_s16(vget_high_s16(b)))};
  }
  void store(std::uint8_t* p) const {
    const uint16x8_t a = vcombine_u16(vmovn_u32(q0), vmovn_u32(q1));
    const uint16x8_t b = vcombine_u16(vmovn_u32(q2), vmovn_u32(q3));
    vst1q_u8(p, vandq_u8(vcombine_u8(vmovn_u16(a), vmovn_u16(b)), vdupq_n_u8(1)));
  }
};

struct F32x16 {
  float32x4_t q0, q1, q2, q3;

  using Mask = Mask16;
  static constexpr int kRegisters = 8;
  static constexpr bool kScales = false;

  static F32x16 zero() { return set1(0.0f); }
  static F32x16 set1(float x) {
    const float32x4_t q = vdupq_n_f32(x);
    return {q, q, q, q};
  }
  static F32x16 load(const void* p) {
    const auto* f = static_cast<const float*>(p);
    return {vld1q_f32(f), vld1q_f32(f + 4), vld1q_f32(f + 8), vld1q_f32(f + 12)};
  }
  static F32x16 load_partial(const float* p, int n) {
    float lane[16] = {};
    for (int i = 0; i < n; ++i) lane[i] = p[i];
    return load(lane);
  }
  static F32x16 load_bf16(const void* p) {
    const auto* h = static_cast<const std::uint16_t*>(p);
    const uint16x8_t a = vld1q_u16(h), b = vld1q_u16(h + 8);
    return {shifted(vget_low_u16(a)), shifted(vget_high_u16(a)), shifted(vget_low_u16(b)),
            shifted(vget_high_u16(b))};
  }
  static F32x16 load_f16(const void* p) {
    const auto* h = static_cast<const std::uint16_t*>(p);
    const float16x8_t a = vreinterpretq_f16_u16(vld1q_u16(h));
    const float16x8_t b = vreinterpretq_f16_u16(vld1q_u16(h + 8));
    return {vcvt_f32_f16(vget_low_f16(a)), vcvt_f32_f16(vget_high_f16(a)),
            vcvt_f32_f16(vget_low_f16(b)), vcvt_f32_f16(vget_high_f16(b))};
  }
  static F32x16 set1_f16(const void* p) {
    std::uint16_t h;
    __builtin_memcpy(&h, p, sizeof h);
    return set1(vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0));
  }
  static F32x16 load_i8(const void* p) {
    const int8x16_t q = vld1q_s8(static_cast<const std::int8_t*>(p));
    const int16x8_t a = vmovl_s8(vget_low_s8(q)), b = vmovl_s8(vget_high_s8(q));
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(a))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(a))),
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(b))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(b)))};
  }
  static F32x16 load_i32(const std::int32_t* p) {
    return {vcvtq_f32_s32(vld1q_s32(p)), vcvtq_f32_s32(vld1q_s32(p + 4)),
            vcvtq_f32_s32(vld1q_s32(p + 8)), vcvtq_f32_s32(vld1q_s32(p + 12))};
  }
  static F32x16 load_bits(const std::uint8_t* p, int shift, int mask) {
    const uint8x16_t moved = vshlq_u8(vld1q_u8(p), vdupq_n_s8(static_cast<std::int8_t>(-shift)));
    const uint8x16_t q = vandq_u8(moved, vdupq_n_u8(static_cast<std::uint8_t>(mask)));
    const uint16x8_t a = vmovl_u8(vget_low_u8(q)), b = vmovl_u8(vget_high_u8(q));
    return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(a))), vcvtq_f32_u32(vmovl_u16(vget_high_u16(a))),
            vcvtq_f32_u32(vmovl_u16(vget_low_u16(b))), vcvtq_f32_u32(vmovl_u16(vget_high_u16(b)))};
  }
  void store(float* p) const {
    vst1q_f32(p, q0);
    vst1q_f32(p + 4, q1);
    vst1q_f32(p + 8, q2);
    vst1q_f32(p + 12, q3);
  }
  void store_partial(float* p, int n) const {
    float lane[16];
    store(lane);
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }

  friend F32x16 operator+(F32x16 x, F32x16 y) {
    return {vaddq_f32(x.q0, y.q0), vaddq_f32(x.q1, y.q1), vaddq_f32(x.q2, y.q2),
            vaddq_f32(x.q3, y.q3)};
  }
  friend F32x16 operator-(F32x16 x, F32x16 y) {
    return {vsubq_f32(x.q0, y.q0), vsubq_f32(x.q1, y.q1), vsubq_f32(x.q2, y.q2),
            vsubq_f32(x.q3, y.q3)};
  }
  friend F32x16 operator*(F32x16 x, F32x16 y) {
    return {vmulq_f32(x.q0, y.q0), vmulq_f32(x.q1, y.q1), vmulq_f32(x.q2, y.q2),
            vmulq_f32(x.q3, y.q3)};
  }
  friend F32x16 operator/(F32x16 x, F32x16 y) {
    return {vdivq_f32(x.q0, y.q0), vdivq_f32(x.q1, y.q1), vdivq_f32(x.q2, y.q2),
            vdivq_f32(x.q3, y.q3)};
  }
  F32x16 operator-() const { return {vnegq_f32(q0), vnegq_f32(q1), vnegq_f32(q2), vnegq_f32(q3)}; }
  static F32x16 fma(F32x16 x, F32x16 y, F32x16 z) {
    return {vfmaq_f32(z.q0, x.q0, y.q0), vfmaq_f32(z.q1, x.q1, y.q1), vfmaq_f32(z.q2, x.q2, y.q2),
            vfmaq_f32(z.q3, x.q3, y.q3)};
  }
  // vmaxq_f32 would return NaN where either is NaN.
  static F32x16 max(F32x16 x, F32x16 y) {
    return {greater(x.q0, y.q0), greater(x.q1, y.q1), greater(x.q2, y.q2), greater(x.q3, y.q3)};
  }
  static F32x16 min(F32x16 x, F32x16 y) {
    return {less(x.q0, y.q0), less(x.q1, y.q1), less(x.q2, y.q2), less(x.q3, y.q3)};
  }
  static Mask16 less(F32x16 x, F32x16 y) {
    return {vcltq_f32(x.q0, y.q0), vcltq_f32(x.q1, y.q1), vcltq_f32(x.q2, y.q2),
            vcltq_f32(x.q3, y.q3)};
  }
  static Mask16 equal(F32x16 x, F32x16 y) {
    return {vceqq_f32(x.q0, y.q0), vceqq_f32(x.q1, y.q1), vceqq_f32(x.q2, y.q2),
            vceqq_f32(x.q3, y.q3)};
  }
  static F32x16 select(Mask16 m, F32x16 yes, F32x16 no) {
    return {vbslq_f32(m.q0, yes.q0, no.q0), vbslq_f32(m.q1, yes.q1, no.q1),
            vbslq_f32(m.q2, yes.q2, no.q2), vbslq_f32(m.q3, yes.q3, no.q3)};
  }
  friend F32x16 operator&(F32x16 x, F32x16 y) {
    return {both(x.q0, y.q0), both(x.q1, y.q1), both(x.q2, y.q2), both(x.q3, y.q3)};
  }
  friend F32x16 operator|(F32x16 x, F32x16 y) {
    return {either(x.q0, y.q0), either(x.q1, y.q1), either(x.q2, y.q2), either(x.q3, y.q3)};
  }
  static F32x16 sqrt(F32x16 x) {
    return {vsqrtq_f32(x.q0), vsqrtq_f32(x.q1), vsqrtq_f32(x.q2), vsqrtq_f32(x.q3)};
  }
  static F32x16 floor(F32x16 x) {
    return {vrndmq_f32(x.q0), vrndmq_f32(x.q1), vrndmq_f32(x.q2), vrndmq_f32(x.q3)};
  }
  static void split(F32x16 x, F32x16* m, F32x16* e) {
    split(x.q0, &m->q0, &e->q0);
    split(x.q1, &m->q1, &e->q1);
    split(x.q2, &m->q2, &e->q2);
    split(x.q3, &m->q3, &e->q3);
  }
  void store_bf16(void* p) const {
    auto* out = static_cast<std::uint16_t*>(p);
    vst1q_u16(out, vcombine_u16(bf16(q0), bf16(q1)));
    vst1q_u16(out + 8, vcombine_u16(bf16(q2), bf16(q3)));
  }
  void store_f16(void* p) const {
    auto* out = static_cast<std::uint16_t*>(p);
    vst1q_u16(out, vcombine_u16(f16(q0), f16(q1)));
    vst1q_u16(out + 8, vcombine_u16(f16(q2), f16(q3)));
  }
  static void transpose(F32x16* r) {
    float lane[16][16], turned[16][16];
    for (int i = 0; i < 16; ++i) r[i].store(lane[i]);
    for (int i = 0; i < 16; i += 4)
      for (int j = 0; j < 16; j += 4) {
        float32x4x4_t block;
        for (int k = 0; k < 4; ++k) block.val[k] = vld1q_f32(&lane[j + k][i]);
        const float32x4x2_t a = vtrnq_f32(block.val[0], block.val[1]);
        const float32x4x2_t b = vtrnq_f32(block.val[2], block.val[3]);
        for (int k = 0; k < 2; ++k) {
          vst1q_f32(&turned[i + k][j],
                    vcombine_f32(vget_low_f32(a.val[k]), vget_low_f32(b.val[k])));
          vst1q_f32(&turned[i + 2 + k][j],
                    vcombine_f32(vget_high_f32(a.val[k]), vget_high_f32(b.val[k])));
        }
      }
    for (int i = 0; i < 16; ++i) r[i] = load(turned[i]);
  }
  static F32x16 power_of_2(F32x16 shifted) {
    return {power(vreinterpretq_u32_f32(shifted.q0)), power(vreinterpretq_u32_f32(shifted.q1)),
            power(vreinterpretq_u32_f32(shifted.q2)), power(vreinterpretq_u32_f32(shifted.q3))};
  }
  static F32x16 scale_by_halves(F32x16 x, F32x16 shifted) {
    return {scaled(x.q0, shifted.q0), scaled(x.q1, shifted.q1), scaled(x.q2, shifted.q2),
            scaled(x.q3, shifted.q3)};
  }
  void store_low_bytes(void* p) const {
    const uint16x8_t low =
        vcombine_u16(vmovn_u32(vreinterpretq_u32_f32(q0)), vmovn_u32(vreinterpretq_u32_f32(q1)));
    const uint16x8_t high =
        vcombine_u16(vmovn_u32(vreinterpretq_u32_f32(q2)), vmovn_u32(vreinterpretq_u32_f32(q3)));
    vst1q_u8(static_cast<std::uint8_t*>(p), vcombine_u8(vmovn_u16(low), vmovn_u16(high)));
  }
  float sum() const {
    const float32x4_t a4 = vaddq_f32(vaddq_f32(q0, q2), vaddq_f32(q1, q3));
    const float32x2_t a2 = vadd_f32(vget_low_f32(a4), vget_high_f32(a4));
    return vget_lane_f32(a2, 0) + vget_lane_f32(a2, 1);
  }
  float max_lane() const {
    const float32x4_t a4 = greater(greater(q0, q2), greater(q1, q3));
    float lane[4];
    vst1q_f32(lane, a4);
    float m = lane[0];
    for (int i = 1; i < 4; ++i) m = lane[i] > m ? lane[i] : m;
    return m;
  }

 private:
  static float32x4_t both(float32x4_t x, float32x4_t y) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), vreinterpretq_u32_f32(y)));
  }
  static float32x4_t either(float32x4_t x, float32x4_t y) {
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(x), vreinterpretq_u32_f32(y)));
  }
  static void split(float32x4_t x, float32x4_t* m, float32x4_t* e) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t power =
        vandq_u32(vsubq_u32(bits, vdupq_n_u32(0x3f2aaaabu)), vdupq_n_u32(0xff800000u));
    *m = vreinterpretq_f32_u32(vsubq_u32(bits, power));
    *e = vcvtq_f32_s32(vshrq_n_s32(vreinterpretq_s32_u32(power), 23));
  }
  static uint16x4_t bf16(float32x4_t x) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
  }
  static uint16x4_t f16(float32x4_t x) { return vreinterpret_u16_f16(vcvt_f16_f32(x)); }
  static float32x4_t shifted(uint16x4_t h) { return vreinterpretq_f32_u32(vshll_n_u16(h, 16)); }
  static float32x4_t greater(float32x4_t x, float32x4_t y) {
    return vbslq_f32(vcgtq_f32(x, y), x, y);
  }
  static float32x4_t less(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
  static float32x4_t power(uint32x4_t n) { return vreinterpretq_f32_u32(vshlq_n_u32(n, 23)); }
  static float32x4_t scaled(float32x4_t x, float32x4_t shifted) {
    const uint32x4_t bits = vreinterpretq_u32_f32(shifted), half = vshrq_n_u32(bits, 1);
    return vmulq_f32(vmulq_f32(x, power(half)), power(vsubq_u32(bits, half)));
  }
};

}  // namespace
}  // namespace bitnet::cpu
