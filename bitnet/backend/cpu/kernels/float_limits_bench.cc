// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/float_limits_bench.h"

#include <cstring>

#include "bitnet/base/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace bitnet::cpu {
namespace {

#if defined(__x86_64__)
constexpr int kRounds = 4096;

__attribute__((target("avx512f"))) std::int64_t peak_zmm() noexcept {
  __m512 sum[16] = {}, a = _mm512_set1_ps(1.0f);
  for (int i = 0; i < kRounds; ++i)
    for (__m512& s : sum) {
      __asm__ volatile("" : "+v"(a));
      s = _mm512_fmadd_ps(a, a, s);
    }
  for (__m512& s : sum) __asm__ volatile("" ::"v"(s));
  return std::int64_t{kRounds} * 16 * 16 * 2;
}

__attribute__((target("avx2,fma"))) std::int64_t peak_ymm() noexcept {
  __m256 sum[12] = {}, a = _mm256_set1_ps(1.0f);
  for (int i = 0; i < kRounds; ++i)
    for (__m256& s : sum) {
      __asm__ volatile("" : "+x"(a));
      s = _mm256_fmadd_ps(a, a, s);
    }
  for (__m256& s : sum) __asm__ volatile("" ::"x"(s));
  return std::int64_t{kRounds} * 12 * 8 * 2;
}

__attribute__((target("avx512f"))) float read_zmm(const char* data, std::int64_t bytes) noexcept {
  __m512 sum[4] = {};
  for (std::int64_t i = 0; i + 256 <= bytes; i += 256)
    for (int k = 0; k < 4; ++k) {
      _mm_prefetch(data + i + 64 * k + 4096, _MM_HINT_T0);
      sum[k] = _mm512_add_ps(sum[k], _mm512_loadu_ps(data + i + 64 * k));
    }
  float lane[16];
  _mm512_storeu_ps(lane,
                   _mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
  return lane[0] + lane[15];
}
#elif defined(__aarch64__)
std::int64_t peak_neon() noexcept {
  constexpr int kRounds = 4096;
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

std::int64_t fma_peak([[maybe_unused]] std::string_view kernel) noexcept {
#if defined(__x86_64__)
  if (kernel == "avx512") return peak_zmm();
  if (kernel == "avx2") return peak_ymm();
#elif defined(__aarch64__)
  if (kernel == "neon") return peak_neon();
#endif
  return 0;
}

float read_once(const void* data, std::int64_t bytes) noexcept {
  const char* p = static_cast<const char*>(data);
#if defined(__x86_64__)
  if (isa::has(isa::detect(), isa::kAvx512)) return read_zmm(p, bytes);
#endif
  float sum[32] = {}, lane[32];
  for (std::int64_t i = 0; i + 128 <= bytes; i += 128) {
    std::memcpy(lane, p + i, sizeof lane);
    for (int k = 0; k < 32; ++k) sum[k] += lane[k];
  }
  for (int k = 1; k < 32; ++k) sum[0] += sum[k];
  return sum[0];
}

}  // namespace bitnet::cpu
