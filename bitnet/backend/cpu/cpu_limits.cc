// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_limits.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>

#include "bitnet/base/isa.h"
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace bitnet::cpu {
namespace {

[[maybe_unused]] constexpr int kRounds = 4096;

#if defined(__x86_64__)
constexpr int kSums = 12;
constexpr int kAhead = 4096;

#define BITNET_TARGET(isa) __attribute__((target(isa)))

BITNET_TARGET("avx512f")
std::uint64_t read_zmm(const std::uint8_t* data, std::int64_t bytes) noexcept {
  __m512i sum[4] = {};
  for (std::int64_t i = 0; i + 256 <= bytes; i += 256)
    for (int k = 0; k < 4; ++k) {
      _mm_prefetch(data + i + 64 * k + kAhead, _MM_HINT_T0);
      sum[k] = _mm512_xor_si512(sum[k], _mm512_loadu_si512(data + i + 64 * k));
    }
  alignas(64) std::uint64_t out[8];
  _mm512_store_si512(
      out, _mm512_or_si512(_mm512_or_si512(sum[0], sum[1]), _mm512_or_si512(sum[2], sum[3])));
  return out[0] ^ out[7];
}

BITNET_TARGET("avx512f,avx512vnni")
std::int64_t peak_zmm() noexcept {
  __m512i sum[kSums] = {}, u = _mm512_set1_epi8(1), s = _mm512_set1_epi8(-1);
  for (int i = 0; i < kRounds; ++i) {
    for (__m512i& k : sum) {
      __asm__ volatile("" : "+v"(u), "+v"(s));
      k = _mm512_dpbusd_epi32(k, u, s);
    }
  }
  for (__m512i& k : sum) __asm__ volatile("" ::"v"(k));
  return std::int64_t{kRounds} * kSums * 64 * 2;
}

BITNET_TARGET("avx2,avxvnni")
std::int64_t peak_ymm() noexcept {
  __m256i sum[kSums] = {}, u = _mm256_set1_epi8(1), s = _mm256_set1_epi8(-1);
  for (int i = 0; i < kRounds; ++i) {
    for (__m256i& k : sum) {
      __asm__ volatile("" : "+x"(u), "+x"(s));
      k = _mm256_dpbusd_avx_epi32(k, u, s);
    }
  }
  for (__m256i& k : sum) __asm__ volatile("" ::"x"(k));
  return std::int64_t{kRounds} * kSums * 32 * 2;
}

BITNET_TARGET("avx2")
std::int64_t peak_maddubs() noexcept {
  __m256i sum[kSums] = {}, u = _mm256_set1_epi8(1), s = _mm256_set1_epi8(-1);
  for (int i = 0; i < kRounds; ++i)
    for (__m256i& k : sum) {
      __asm__ volatile("" : "+x"(u), "+x"(s));
      k = _mm256_add_epi16(k, _mm256_maddubs_epi16(u, s));
    }
  for (__m256i& k : sum) __asm__ volatile("" ::"x"(k));
  return std::int64_t{kRounds} * kSums * 32 * 2;
}

BITNET_TARGET("avx512f")
std::int64_t fma_zmm() noexcept {
  __m512 sum[16] = {}, a = _mm512_set1_ps(1.0f);
  for (int i = 0; i < kRounds; ++i)
    for (__m512& s : sum) {
      __asm__ volatile("" : "+v"(a));
      s = _mm512_fmadd_ps(a, a, s);
    }
  for (__m512& s : sum) __asm__ volatile("" ::"v"(s));
  return std::int64_t{kRounds} * 16 * 16 * 2;
}

BITNET_TARGET("avx2,fma")
std::int64_t fma_ymm() noexcept {
  __m256 sum[12] = {}, a = _mm256_set1_ps(1.0f);
  for (int i = 0; i < kRounds; ++i)
    for (__m256& s : sum) {
      __asm__ volatile("" : "+x"(a));
      s = _mm256_fmadd_ps(a, a, s);
    }
  for (__m256& s : sum) __asm__ volatile("" ::"x"(s));
  return std::int64_t{kRounds} * 12 * 8 * 2;
}
#elif defined(__aarch64__)
std::int64_t fma_neon() noexcept {
  float32x4_t sum[16] = {}, a = vdupq_n_f32(1.0f);
  for (int i = 0; i < kRounds; ++i)
    for (float32x4_t& s : sum) {
      __asm__ volatile("" : "+w"(a));
      s = vfmaq_f32(s, a, a);
    }
  for (float32x4_t& s : sum) __asm__ volatile("" ::"w"(s));
  return std::int64_t{kRounds} * 16 * 4 * 2;
}
#endif

}  // namespace

std::int64_t dot_peak([[maybe_unused]] std::string_view kernel) noexcept {
#if defined(__x86_64__)
  if (kernel == "avx512vnni") return peak_zmm();
  if (kernel == "avxvnni") return peak_ymm();
  if (kernel == "avx2") return peak_maddubs();
#endif
  return 0;
}

std::int64_t fma_peak([[maybe_unused]] std::string_view kernel) noexcept {
#if defined(__x86_64__)
  if (kernel == "avx512") return fma_zmm();
  if (kernel == "avx2") return fma_ymm();
#elif defined(__aarch64__)
  if (kernel == "neon") return fma_neon();
#endif
  return 0;
}

std::uint64_t read_once(const std::uint8_t* data, std::int64_t bytes) noexcept {
#if defined(__x86_64__)
  if (isa::has(isa::detect(), isa::kAvx512)) return read_zmm(data, bytes);
#endif
  std::uint64_t sum[8] = {}, word = 0;
  for (std::int64_t i = 0; i + 64 <= bytes; i += 64)
    for (int k = 0; k < 8; ++k) {
      std::memcpy(&word, data + i + 8 * k, sizeof word);
      sum[k] ^= word;
    }
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

}  // namespace bitnet::cpu
