// SPDX-License-Identifier: MIT OR Apache-2.0
// F32x16 in one AVX-512 register. Contracts: simd/scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Mask16 {
  __mmask16 m;

  friend Mask16 operator&(Mask16 a, Mask16 b) { return {_kand_mask16(a.m, b.m)}; }
  friend Mask16 operator|(Mask16 a, Mask16 b) { return {_kor_mask16(a.m, b.m)}; }
  Mask16 operator!() const { return {_knot_mask16(m)}; }
  bool all() const { return m == 0xffff; }
  static Mask16 load(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm_test_epi8_mask(bytes, bytes)};
  }
  static Mask16 of_bits(std::uint16_t bits) { return {bits}; }
  void store(std::uint8_t* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_maskz_set1_epi8(m, 1));
  }
};

struct F32x16 {
  __m512 v;

  using Mask = Mask16;
  static constexpr int kRegisters = 32;
  static constexpr bool kScales = true;

  static F32x16 zero() { return {_mm512_setzero_ps()}; }
  static F32x16 set1(float x) { return {_mm512_set1_ps(x)}; }
  static F32x16 load(const void* p) { return {_mm512_loadu_ps(p)}; }
  static F32x16 load_partial(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  static F32x16 load_bf16(const void* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  static F32x16 load_f16(const void* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
  }
  static F32x16 set1_f16(const void* p) {
    std::uint16_t h;
    __builtin_memcpy(&h, p, sizeof h);
    return set1(_cvtsh_ss(h));
  }
  static F32x16 load_i8(const void* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes(p)))};
  }
  static F32x16 load_i32(const std::int32_t* p) {
    return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))};
  }
  static F32x16 load_bits(const std::uint8_t* p, int shift, int mask) {
    const __m512i wide = _mm512_cvtepu8_epi32(bytes(p));
    const __m512i shifted = _mm512_srl_epi32(wide, _mm_cvtsi32_si128(shift));
    return {_mm512_cvtepi32_ps(_mm512_and_si512(shifted, _mm512_set1_epi32(mask)))};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_partial(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  friend F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
  F32x16 operator-() const { return {-v}; }  // folds into fma(), unlike an xor
  static F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
  static F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
  static Mask16 less(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
  static Mask16 equal(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
  static F32x16 select(Mask16 m, F32x16 yes, F32x16 no) {
    return {_mm512_mask_blend_ps(m.m, no.v, yes.v)};
  }
  friend F32x16 operator&(F32x16 a, F32x16 b) { return {_mm512_and_ps(a.v, b.v)}; }
  friend F32x16 operator|(F32x16 a, F32x16 b) { return {_mm512_or_ps(a.v, b.v)}; }
  static F32x16 sqrt(F32x16 x) { return {_mm512_sqrt_ps(x.v)}; }
  static F32x16 floor(F32x16 x) {
    return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  }
  static void split(F32x16 x, F32x16* m, F32x16* e) {
    const __m512i bits = _mm512_castps_si512(x.v);
    const __m512i power = _mm512_and_si512(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f2aaaab)),
                                           _mm512_set1_epi32(static_cast<int>(0xff800000u)));
    m->v = _mm512_castsi512_ps(_mm512_sub_epi32(bits, power));
    e->v = _mm512_cvtepi32_ps(_mm512_srai_epi32(power, 23));
  }
  void store_bf16(void* p) const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __m512i quiet = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q),
                                               bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(static_cast<__m256i*>(p),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(quiet, 16)));
  }
  void store_f16(void* p) const {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static void transpose(F32x16* r) {
    __m512 t[16], u[16];
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_ps(r[i].v, r[i + 1].v);
      t[i + 1] = _mm512_unpackhi_ps(r[i].v, r[i + 1].v);
    }
    // u[4 q + c]: column c of each quarter of rows 4 q to 4 q + 3
    for (int i = 0; i < 16; i += 4) {
      u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
      u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
      u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int c = 0; c < 4; ++c) {
      const __m512 a = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88);
      const __m512 b = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);
      const __m512 d = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
      const __m512 e = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);
      r[c].v = _mm512_shuffle_f32x4(a, d, 0x88);
      r[8 + c].v = _mm512_shuffle_f32x4(a, d, 0xdd);
      r[4 + c].v = _mm512_shuffle_f32x4(b, e, 0x88);
      r[12 + c].v = _mm512_shuffle_f32x4(b, e, 0xdd);
    }
  }
  static F32x16 scale(F32x16 x, F32x16 n) { return {_mm512_scalef_ps(x.v, n.v)}; }
  void store_low_bytes(void* p) const {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_castps_si512(v)));
  }
  float sum() const {
    const __m256 a8 = _mm256_add_ps(low(), high());
    const __m128 a4 = _mm_add_ps(_mm256_castps256_ps128(a8), _mm256_extractf128_ps(a8, 1));
    const __m128 a2 = _mm_add_ps(a4, _mm_movehl_ps(a4, a4));
    return _mm_cvtss_f32(_mm_add_ss(a2, _mm_movehdup_ps(a2)));
  }
  float max_lane() const {
    const __m256 a8 = _mm256_max_ps(low(), high());
    const __m128 a4 = _mm_max_ps(_mm256_castps256_ps128(a8), _mm256_extractf128_ps(a8, 1));
    const __m128 a2 = _mm_max_ps(a4, _mm_movehl_ps(a4, a4));
    return _mm_cvtss_f32(_mm_max_ss(a2, _mm_movehdup_ps(a2)));
  }

 private:
  static __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static __m128i bytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  __m256 low() const { return _mm512_castps512_ps256(v); }
  __m256 high() const { return _mm512_extractf32x8_ps(v, 1); }
};

}  // namespace
}  // namespace bitnet::cpu
