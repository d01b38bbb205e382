// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of quantizers and dropout over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/quantizers/quantizers.h"
#include "bitnet/backend/cpu/simd/math.h"
#include "bitnet/base/philox.h"

namespace bitnet::cpu {

// The compiler's own vectors, which it maps to the ISA of each file.
// Doubles in a register of the file's ISA: GCC 12 keeps sums in wider vectors on the stack, which
// took three times as long with AVX2.
#if defined(__AVX512F__)
inline constexpr int kDoubles = 8;
#elif defined(__AVX2__)
inline constexpr int kDoubles = 4;
#else
inline constexpr int kDoubles = 2;
#endif
typedef float Floats __attribute__((vector_size(4 * kDoubles)));
typedef std::uint32_t Words __attribute__((vector_size(4 * kDoubles)));
typedef double Doubles __attribute__((vector_size(8 * kDoubles)));
typedef std::uint32_t Words16 __attribute__((vector_size(64)));
typedef std::uint64_t Longs16 __attribute__((vector_size(128)));

// Floats that reading from memory is asked for before they are needed: 16 KB, as nothing is read
// while codes are packed.
inline constexpr std::int64_t kAhead = 4096;

static inline double abs_sum_of(const float* x, std::int64_t count) {
  Doubles sum[16 / kDoubles] = {};
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    __builtin_prefetch(x + k + kAhead);
    for (int part = 0; part < 16 / kDoubles; ++part) {
      Words bits;
      __builtin_memcpy(&bits, x + k + kDoubles * part, sizeof bits);
      const auto magnitude = reinterpret_cast<Floats>(bits & 0x7fffffffu);
      sum[part] += __builtin_convertvector(magnitude, Doubles);
    }
  }
  double lane[16];
  __builtin_memcpy(lane, sum, sizeof lane);
  for (int i = 0; k + i < count; ++i) lane[i] += static_cast<double>(__builtin_fabsf(x[k + i]));
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}

// Calls step(k, n, pointer to 16 floats): at the row itself, at the end a copy.
template <class Step>
static inline void for_sixteens(const float* x, std::int64_t count, const Step& step) {
  std::int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    __builtin_prefetch(x + k + kAhead);
    step(k, 16, x + k);
  }
  if (k == count) return;
  float last[16] = {};
  for (int i = 0; k + i < count; ++i) last[i] = x[k + i];
  step(k, static_cast<int>(count - k), last);
}

// Stores the low bytes of 16 lanes, n of them.
template <class V>
static inline void put_bytes(V v, void* to, int n) {
  if (n == 16) return v.store_low_bytes(to);
  unsigned char bytes[16];
  v.store_low_bytes(bytes);
  __builtin_memcpy(to, bytes, static_cast<std::size_t>(n));
}

// Adding 1.5 * 2^23 rounds to an integer, halves to even, and leaves it in the low bits.
template <class V>
static inline void ternary_of(const float* x, std::int64_t count, float inverse,
                              std::uint8_t* codes) {
  const V scale = V::set1(inverse), one = V::set1(1.0f), magic = V::set1(0x1.8p23f);
  for_sixteens(x, count, [&](std::int64_t k, int n, const float* p) {
    const V y = V::max(V::min(V::load(p) * scale, one), -one);
    put_bytes((y + magic) + one, codes + k, n);  // the second addition is exact
  });
}

template <class V>
static inline Extremes extremes_of(const float* x, std::int64_t count) {
  V least = V::set1(__builtin_inff()), most = -least;
  for_sixteens(x, count, [&](std::int64_t, int n, const float* p) {
    V v = V::load(p);
    if (n < 16) {  // the first element again where there is none
      float lane[16];
      for (int i = 0; i < 16; ++i) lane[i] = i < n ? p[i] : p[0];
      v = V::load(lane);
    }
    least = V::min(v, least);  // NaN keeps what there is
    most = V::max(v, most);
  });
  const float low = -(-least).max_lane(), high = most.max_lane();
  return low <= high ? Extremes{low, high} : Extremes{0.0f, 0.0f};
}

// Numbers first … first + 15, as base/philox.h says, for `first` a multiple of 16: one word of 16
// counters. Counters beyond 2^32 carry.
static inline void random16(std::uint64_t seed, std::uint64_t first, std::uint32_t* out) {
  const std::uint64_t base = first / 64 * 16;
  Words16 c[4] = {}, key[2];
  for (unsigned i = 0; i < 16; ++i) {
    c[0][i] = static_cast<std::uint32_t>(base + i);
    c[1][i] = static_cast<std::uint32_t>((base + i) >> 32);
    key[0][i] = static_cast<std::uint32_t>(seed);
    key[1][i] = static_cast<std::uint32_t>(seed >> 32);
  }
  for (int round = 0; round < 10; ++round) {
    const Longs16 a = __builtin_convertvector(c[0], Longs16) * kPhiloxMultiply[0];
    const Longs16 b = __builtin_convertvector(c[2], Longs16) * kPhiloxMultiply[1];
    const Words16 a_high = __builtin_convertvector(a >> 32, Words16);
    const Words16 b_high = __builtin_convertvector(b >> 32, Words16);
    const Words16 next0 = b_high ^ c[1] ^ key[0], next2 = a_high ^ c[3] ^ key[1];
    c[1] = __builtin_convertvector(b, Words16);
    c[3] = __builtin_convertvector(a, Words16);
    c[0] = next0;
    c[2] = next2;
    key[0] += kPhiloxKeyStep[0];
    key[1] += kPhiloxKeyStep[1];
  }
  __builtin_memcpy(out, &c[first % 64 / 16], sizeof(Words16));
}

// Numbers at any index: 16 of them, perhaps from two words.
static inline void random_from(std::uint64_t seed, std::uint64_t first, std::uint32_t* out) {
  const std::uint64_t aligned = first / 16 * 16;
  const unsigned skip = static_cast<unsigned>(first % 16);
  if (skip == 0) return random16(seed, aligned, out);
  std::uint32_t words[32];
  random16(seed, aligned, words);
  random16(seed, aligned + 16, words + 16);
  __builtin_memcpy(out, words + skip, 16 * sizeof *out);
}

template <class V>
static inline void to_i8_of(const I8Run& r) {
  const V scale = V::set1(r.scale), offset = V::set1(r.offset), magic = V::set1(0x1.8p23f);
  const V low = V::set1(r.low), high = V::set1(127.0f), zero = V::zero();
  for_sixteens(r.x, r.count, [&](std::int64_t k, int n, const float* p) {
    V y = V::load(p) * scale;
    y = V::select(V::equal(y, y), y, zero);
    if (r.random) {
      std::uint32_t words[16];
      random_from(r.seed, r.first + static_cast<std::uint64_t>(k), words);
      float noise[16];
      for (int i = 0; i < 16; ++i)
        noise[i] = static_cast<float>(static_cast<std::int32_t>(words[i] >> 8)) * 0x1p-24f;
      y = V::floor(y + V::load(noise));
    } else {
      // Within 2^22, where adding the magic number rounds; what is beyond saturates in any case.
      y = V::max(V::min(y, V::set1(1024.0f)), V::set1(-1024.0f));
      y = (y + magic) - magic;
    }
    y = V::max(V::min(y + offset, high), low);
    put_bytes(y + magic, r.codes + k, n);
  });
}

template <class V>
static inline void dropout_of(const DropoutArgs& a) {
  const V zero = V::zero(), scale = V::set1(a.scale);
  for (std::int64_t k = 0; k < a.count; k += 16) {
    const int n = a.count - k < 16 ? static_cast<int>(a.count - k) : 16;
    std::uint32_t words[16];
    random_from(a.seed, a.first + static_cast<std::uint64_t>(k), words);
    std::uint8_t kept[16];
    for (int i = 0; i < 16; ++i) kept[i] = words[i] >= a.threshold;
    const V x = n == 16 ? V::load(a.x + k) : V::load_partial(a.x + k, n);
    V y = a.relu ? V::max(zero, x) : x;
    if (a.g) {
      y = n == 16 ? V::load(a.g + k) : V::load_partial(a.g + k, n);
      if (a.relu) y = V::select(V::less(zero, x), y, zero);
    }
    y = V::select(V::Mask::load(kept), y * scale, zero);
    if (n == 16)
      y.store(a.out + k);
    else
      y.store_partial(a.out + k, n);
  }
}

template <class V>
static inline QuantizerKernels quantizer_kernels_over() {
  return {[](const float* x, std::int64_t n) noexcept { return abs_sum_of(x, n); },
          [](const float* x, std::int64_t n, float inverse, std::uint8_t* codes) noexcept {
            ternary_of<V>(x, n, inverse, codes);
          },
          [](const float* x, std::int64_t n) noexcept { return extremes_of<V>(x, n); },
          [](const I8Run& r) noexcept { to_i8_of<V>(r); },
          [](const DropoutArgs& a) noexcept { dropout_of<V>(a); }};
}

}  // namespace bitnet::cpu
