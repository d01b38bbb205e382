// SPDX-License-Identifier: MIT OR Apache-2.0
// F32x16 in plain C++: the definition that the vector versions equal bit for bit.
#pragma once

#include <cstdint>

namespace bitnet::cpu {
namespace {

/// 16 truth values, as comparisons give them.
struct Mask16 {
  bool lane[16];
  friend Mask16 operator&(const Mask16& a, const Mask16& b) {
    return map([&](int i) { return a.lane[i] && b.lane[i]; });
  }
  friend Mask16 operator|(const Mask16& a, const Mask16& b) {
    return map([&](int i) { return a.lane[i] || b.lane[i]; });
  }
  Mask16 operator!() const {
    return map([&](int i) { return !lane[i]; });
  }
  bool all() const {
    for (const bool x : lane)
      if (!x) return false;
    return true;
  }
  /// Which of 16 bytes are not 0.
  static Mask16 load(const std::uint8_t* p) {
    return map([&](int i) { return p[i] != 0; });
  }
  /// Lane i is bit i.
  static Mask16 of_bits(std::uint16_t bits) {
    return map([&](int i) { return (bits >> i & 1) != 0; });
  }
  /// 16 bytes, 1 or 0.
  void store(std::uint8_t* p) const {
    for (int i = 0; i < 16; ++i) p[i] = lane[i];
  }
  template <class Fn>
  static Mask16 map(Fn fn) {
    Mask16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = fn(i);
    return r;
  }
};

/// 16 floats. Internal linkage: each kernel file owns its instantiations, so that no weak symbol of
/// one ISA can be taken for another's. Not stated below: an operation acts lane by lane, rounds
/// once (IEEE, nearest even), denormals kept.
struct F32x16 {
  using Mask = Mask16;

  float lane[16];

  /// How many F32x16 the register file holds; kernels choose their tiles by it.
  static constexpr int kRegisters = 8;
  /// Whether scale(x, n) = x * 2^n, rounded once, is there: one step instead of the two functions
  /// below.
  static constexpr bool kScales = false;

  static F32x16 zero() { return set1(0.0f); }
  static F32x16 set1(float x) {
    return map([&](int) { return x; });
  }
  static F32x16 load(const void* p) {
    F32x16 r;
    __builtin_memcpy(r.lane, p, sizeof r.lane);
    return r;
  }
  /// Lanes n to 15 are +0 and not read. 0 <= n <= 16
  static F32x16 load_partial(const float* p, int n) {
    return map([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static F32x16 load_bf16(const void* p) {
    std::uint16_t h[16];
    __builtin_memcpy(h, p, sizeof h);
    return map([&](int i) { return __builtin_bit_cast(float, std::uint32_t{h[i]} << 16); });
  }
  static F32x16 load_f16(const void* p) {
    std::uint16_t h[16];
    __builtin_memcpy(h, p, sizeof h);
    return map([&](int i) { return from_f16(h[i]); });
  }
  /// The half at p in all lanes.
  static F32x16 set1_f16(const void* p) {
    std::uint16_t h;
    __builtin_memcpy(&h, p, sizeof h);
    return set1(from_f16(h));
  }
  static F32x16 load_i8(const void* p) {
    const auto* q = static_cast<const std::int8_t*>(p);
    return map([&](int i) { return static_cast<float>(q[i]); });
  }
  /// Each rounded to the nearest float.
  static F32x16 load_i32(const std::int32_t* p) {
    return map([&](int i) { return static_cast<float>(p[i]); });
  }
  /// (p[i] >> shift) & mask as a float.
  static F32x16 load_bits(const std::uint8_t* p, int shift, int mask) {
    return map([&](int i) { return static_cast<float>((p[i] >> shift) & mask); });
  }
  void store(float* p) const { __builtin_memcpy(p, lane, sizeof lane); }
  void store_partial(float* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }

  friend F32x16 operator+(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  friend F32x16 operator-(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  friend F32x16 operator*(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  friend F32x16 operator/(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  F32x16 operator-() const {
    return map([&](int i) { return -lane[i]; });
  }
  /// a * b + c, rounded once.
  static F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
    return map([&](int i) { return __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]); });
  }
  /// a > b ? a : b, so b where either is NaN.
  static F32x16 max(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  /// a < b ? a : b
  static F32x16 min(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  /// Comparisons are false where either is NaN.
  static Mask16 less(const F32x16& a, const F32x16& b) {
    return Mask16::map([&](int i) { return a.lane[i] < b.lane[i]; });
  }
  static Mask16 equal(const F32x16& a, const F32x16& b) {
    return Mask16::map([&](int i) { return a.lane[i] == b.lane[i]; });
  }
  static F32x16 select(const Mask16& m, const F32x16& yes, const F32x16& no) {
    return map([&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
  }
  /// Bits are combined.
  friend F32x16 operator&(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return from_bits(bits_of(a.lane[i]) & bits_of(b.lane[i])); });
  }
  friend F32x16 operator|(const F32x16& a, const F32x16& b) {
    return map([&](int i) { return from_bits(bits_of(a.lane[i]) | bits_of(b.lane[i])); });
  }
  static F32x16 sqrt(const F32x16& x) {
    return map([&](int i) { return __builtin_sqrtf(x.lane[i]); });
  }
  static F32x16 floor(const F32x16& x) {
    return map([&](int i) { return __builtin_floorf(x.lane[i]); });
  }
  /// m * 2^e = x, 2/3 <= m < 4/3 and e integral, where x is positive, finite and not denormal;
  /// elsewhere the same numbers on every ISA, but no split of x.
  static void split(const F32x16& x, F32x16* m, F32x16* e) {
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t bits = bits_of(x.lane[i]);
      const std::uint32_t power = (bits - 0x3f2aaaabu) & 0xff800000u;  // above the bits of 2/3
      m->lane[i] = from_bits(bits - power);
      e->lane[i] = static_cast<float>(static_cast<std::int32_t>(power) >> 23);
    }
  }
  /// Halves of 16 bits, rounded to nearest even; of NaN any NaN.
  void store_bf16(void* p) const {
    std::uint16_t h[16];
    for (int i = 0; i < 16; ++i) {
      const std::uint32_t bits = bits_of(lane[i]);
      const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
      h[i] = static_cast<std::uint16_t>(
          (nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
    __builtin_memcpy(p, h, sizeof h);
  }
  void store_f16(void* p) const {
    std::uint16_t h[16];
    for (int i = 0; i < 16; ++i) h[i] = to_f16(lane[i]);
    __builtin_memcpy(p, h, sizeof h);
  }
  /// Lane j of row i and lane i of row j change places.
  static void transpose(F32x16* rows) {
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < i; ++j) {
        const float kept = rows[i].lane[j];
        rows[i].lane[j] = rows[j].lane[i];
        rows[j].lane[i] = kept;
      }
  }
  /// Of floats in [2^23, 2^24): 2^n where the low 8 bits are n + 127.
  static F32x16 power_of_2(const F32x16& shifted) {
    return map([&](int i) {
      return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, shifted.lane[i]) << 23);
    });
  }
  /// Of such floats: x * 2^n, rounded once, where the low 9 bits are n + 254; |n| <= 200,
  /// 0.5 < |x| < 2. NaN in both stays NaN.
  static F32x16 scale_by_halves(const F32x16& x, const F32x16& shifted) {
    return map([&](int i) {
      // Half of n + 254, and the other half, are exponents with their bias: 2^(n/2), twice.
      const auto bits = __builtin_bit_cast(std::uint32_t, shifted.lane[i]);
      const std::uint32_t half = bits >> 1;
      return x.lane[i] * __builtin_bit_cast(float, half << 23) *
             __builtin_bit_cast(float, (bits - half) << 23);
    });
  }
  /// The low byte of each lane's bits: 16 bytes at p.
  void store_low_bytes(void* p) const {
    std::uint8_t bytes[16];
    for (int i = 0; i < 16; ++i)
      bytes[i] = static_cast<std::uint8_t>(__builtin_bit_cast(std::uint32_t, lane[i]));
    __builtin_memcpy(p, bytes, sizeof bytes);
  }
  /// a[l] += a[l+8], a[l] += a[l+4], a[l] += a[l+2], a[l] += a[l+1]
  float sum() const {
    float a[16];
    store(a);
    for (int width = 8; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) a[i] += a[i + width];
    return a[0];
  }
  float max_lane() const {
    float m = lane[0];
    for (int i = 1; i < 16; ++i) m = lane[i] > m ? lane[i] : m;
    return m;
  }

 private:
  template <class Fn>
  static F32x16 map(Fn fn) {
    F32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = fn(i);
    return r;
  }
  static std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
  static float from_bits(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }
  // As bitnet/base/half.h.
  static std::uint16_t to_f16(float value) {
    const std::uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffffu;
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    std::uint32_t h;
    if (magnitude > 0x7f800000u)
      h = 0x7e00u;
    else if (magnitude >= 0x477ff000u)  // 65520
      h = 0x7c00u;
    else if (magnitude < 0x38800000u)  // 2^-14
      h = bits_of(from_bits(magnitude) + 0.5f) - 0x3f000000u;
    else
      h = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
    return static_cast<std::uint16_t>(sign | h);
  }
  // As bitnet/base/half.h, whose inline functions would be weak symbols here.
  static float from_f16(std::uint16_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0) {
      const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
      return __builtin_bit_cast(float, sign | __builtin_bit_cast(std::uint32_t, magnitude));
    }
    const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return __builtin_bit_cast(float, sign | (wide << 23) | (mantissa << 13));
  }
};

}  // namespace
}  // namespace bitnet::cpu
