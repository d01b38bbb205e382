// SPDX-License-Identifier: MIT OR Apache-2.0
// F32x16 in two AVX2 registers. Contracts: simd/scalar.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace bitnet::cpu {
namespace {

struct Mask16 {
  __m256 a, b;  // all bits of a lane or none

  friend Mask16 operator&(Mask16 x, Mask16 y) {
    return {_mm256_and_ps(x.a, y.a), _mm256_and_ps(x.b, y.b)};
  }
  friend Mask16 operator|(Mask16 x, Mask16 y) {
    return {_mm256_or_ps(x.a, y.a), _mm256_or_ps(x.b, y.b)};
  }
  Mask16 operator!() const {
    const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return {_mm256_xor_ps(a, all), _mm256_xor_ps(b, all)};
  }
  bool all() const { return _mm256_movemask_ps(_mm256_and_ps(a, b)) == 0xff; }
  static Mask16 load(const std::uint8_t* p) {
    const __m128i zero =
        _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), _mm_setzero_si128());
    return !Mask16{_mm256_castsi256_ps(_mm256_cvtepi8_epi32(zero)),
                   _mm256_castsi256_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(zero, zero)))};
  }
  static Mask16 of_bits(std::uint16_t bits) {
    const __m256i all = _mm256_set1_epi32(bits);
    const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i high = _mm256_slli_epi32(low, 8);
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, low), low)),
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, high), high))};
  }
  void store(std::uint8_t* p) const {
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)), 0xD8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_and_si128(bytes, _mm_set1_epi8(1)));
  }
};

struct F32x16 {
  __m256 a, b;  // lanes 0 to 7, 8 to 15

  using Mask = Mask16;
  static constexpr int kRegisters = 8;
  static constexpr bool kScales = false;

  static F32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F32x16 load(const void* p) {
    const auto* f = static_cast<const float*>(p);
    return {_mm256_loadu_ps(f), _mm256_loadu_ps(f + 8)};
  }
  static F32x16 load_partial(const float* p, int n) {
    return {_mm256_maskload_ps(p, first(n)), _mm256_maskload_ps(p + 8, first(n - 8))};
  }
  static F32x16 load_bf16(const void* p) {
    return {shifted(_mm256_cvtepu16_epi32(half(p, 0))), shifted(_mm256_cvtepu16_epi32(half(p, 1)))};
  }
  static F32x16 load_f16(const void* p) {
    return {_mm256_cvtph_ps(half(p, 0)), _mm256_cvtph_ps(half(p, 1))};
  }
  static F32x16 set1_f16(const void* p) {
    std::uint16_t h;
    __builtin_memcpy(&h, p, sizeof h);
    return set1(_cvtsh_ss(h));
  }
  static F32x16 load_i8(const void* p) {
    const __m128i q = half(p, 0);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(q, q)))};
  }
  static F32x16 load_i32(const std::int32_t* p) {
    const auto* q = reinterpret_cast<const __m256i*>(p);
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(q)),
            _mm256_cvtepi32_ps(_mm256_loadu_si256(q + 1))};
  }
  static F32x16 load_bits(const std::uint8_t* p, int shift, int mask) {
    const __m128i q = half(p, 0);
    return {bits(q, shift, mask), bits(_mm_unpackhi_epi64(q, q), shift, mask)};
  }
  void store(float* p) const {
    _mm256_storeu_ps(p, a);
    _mm256_storeu_ps(p + 8, b);
  }
  void store_partial(float* p, int n) const {
    _mm256_maskstore_ps(p, first(n), a);
    _mm256_maskstore_ps(p + 8, first(n - 8), b);
  }

  friend F32x16 operator+(F32x16 x, F32x16 y) {
    return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
  }
  friend F32x16 operator-(F32x16 x, F32x16 y) {
    return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
  }
  friend F32x16 operator*(F32x16 x, F32x16 y) {
    return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
  }
  friend F32x16 operator/(F32x16 x, F32x16 y) {
    return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
  }
  F32x16 operator-() const { return {-a, -b}; }  // folds into fma(), unlike an xor
  static F32x16 fma(F32x16 x, F32x16 y, F32x16 z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
  }
  static F32x16 max(F32x16 x, F32x16 y) {
    return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
  }
  static F32x16 min(F32x16 x, F32x16 y) {
    return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
  }
  static Mask16 less(F32x16 x, F32x16 y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
  }
  static Mask16 equal(F32x16 x, F32x16 y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ)};
  }
  static F32x16 select(Mask16 m, F32x16 yes, F32x16 no) {
    return {_mm256_blendv_ps(no.a, yes.a, m.a), _mm256_blendv_ps(no.b, yes.b, m.b)};
  }
  friend F32x16 operator&(F32x16 x, F32x16 y) {
    return {_mm256_and_ps(x.a, y.a), _mm256_and_ps(x.b, y.b)};
  }
  friend F32x16 operator|(F32x16 x, F32x16 y) {
    return {_mm256_or_ps(x.a, y.a), _mm256_or_ps(x.b, y.b)};
  }
  static F32x16 sqrt(F32x16 x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
  static F32x16 floor(F32x16 x) { return {_mm256_floor_ps(x.a), _mm256_floor_ps(x.b)}; }
  static void split(F32x16 x, F32x16* m, F32x16* e) {
    split(x.a, &m->a, &e->a);
    split(x.b, &m->b, &e->b);
  }
  void store_bf16(void* p) const {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(bf16(a), bf16(b)), 0xD8);
    _mm256_storeu_si256(static_cast<__m256i*>(p), words);
  }
  void store_f16(void* p) const {
    auto* out = static_cast<__m128i*>(p);
    _mm_storeu_si128(out, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(out + 1, _mm256_cvtps_ph(b, _MM_FROUND_TO_NEAREST_INT));
  }
  static void transpose(F32x16* r) {
    for (int half = 0; half < 16; half += 8)
      for (int part = 0; part < 2; ++part) transpose8(r + half, part);
    for (int i = 0; i < 8; ++i) {  // the blocks off the diagonal change places
      const __m256 kept = r[i].b;
      r[i].b = r[8 + i].a;
      r[8 + i].a = kept;
    }
  }
  static F32x16 power_of_2(F32x16 shifted) {
    return {power(_mm256_castps_si256(shifted.a)), power(_mm256_castps_si256(shifted.b))};
  }
  static F32x16 scale_by_halves(F32x16 x, F32x16 shifted) {
    return {scaled(x.a, shifted.a), scaled(x.b, shifted.b)};
  }
  void store_low_bytes(void* p) const {
    const __m256i low = _mm256_set1_epi32(0xff);
    const __m256i x = _mm256_and_si256(_mm256_castps_si256(a), low);
    const __m256i y = _mm256_and_si256(_mm256_castps_si256(b), low);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, y), 0xD8);
    _mm_storeu_si128(
        static_cast<__m128i*>(p),
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  float sum() const {
    const __m256 a8 = _mm256_add_ps(a, b);
    const __m128 a4 = _mm_add_ps(_mm256_castps256_ps128(a8), _mm256_extractf128_ps(a8, 1));
    const __m128 a2 = _mm_add_ps(a4, _mm_movehl_ps(a4, a4));
    return _mm_cvtss_f32(_mm_add_ss(a2, _mm_movehdup_ps(a2)));
  }
  float max_lane() const {
    const __m256 a8 = _mm256_max_ps(a, b);
    const __m128 a4 = _mm_max_ps(_mm256_castps256_ps128(a8), _mm256_extractf128_ps(a8, 1));
    const __m128 a2 = _mm_max_ps(a4, _mm_movehl_ps(a4, a4));
    return _mm_cvtss_f32(_mm_max_ss(a2, _mm_movehdup_ps(a2)));
  }

 private:
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static __m128i half(const void* p, int index) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p) + index);
  }
  static __m256 shifted(__m256i wide) { return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)); }
  static __m256 bits(__m128i bytes, int shift, int mask) {
    const __m256i wide = _mm256_srl_epi32(_mm256_cvtepu8_epi32(bytes), _mm_cvtsi32_si128(shift));
    return _mm256_cvtepi32_ps(_mm256_and_si256(wide, _mm256_set1_epi32(mask)));
  }
  static void split(__m256 x, __m256* m, __m256* e) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i power = _mm256_and_si256(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f2aaaab)),
                                           _mm256_set1_epi32(static_cast<int>(0xff800000u)));
    *m = _mm256_castsi256_ps(_mm256_sub_epi32(bits, power));
    *e = _mm256_cvtepi32_ps(_mm256_srai_epi32(power, 23));
  }
  // The 8 x 8 block of the first (last) eight lanes of eight rows.
  static void transpose8(F32x16* r, int part) {
    const auto at = [&](int i) -> __m256& { return part ? r[i].b : r[i].a; };
    __m256 t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_ps(at(i), at(i + 1));
      t[i + 1] = _mm256_unpackhi_ps(at(i), at(i + 1));
    }
    for (int i = 0; i < 8; i += 4) {
      u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
      u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
      u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int c = 0; c < 4; ++c) {
      at(c) = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
      at(4 + c) = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
    }
  }
  static __m256i bf16(__m256 x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  }
  static __m256 power(__m256i n) { return _mm256_castsi256_ps(_mm256_slli_epi32(n, 23)); }
  static __m256 scaled(__m256 x, __m256 shifted) {
    const __m256i bits = _mm256_castps_si256(shifted), half = _mm256_srli_epi32(bits, 1);
    return _mm256_mul_ps(_mm256_mul_ps(x, power(half)), power(_mm256_sub_epi32(bits, half)));
  }
};

}  // namespace
}  // namespace bitnet::cpu
