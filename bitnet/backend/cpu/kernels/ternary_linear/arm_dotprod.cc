// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with sdot. Planes 1 to 3 are masked where they lie and count 16, 4 or 1
// times; plane 0 (64 times would not fit a signed byte) is shifted down. A 32-bit sum holds
// 16 * 2 * 128 * 4 times 2^16 steps (cols <= 2^22): 2^30.
#include <arm_neon.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/tiles.h"

namespace bitnet::cpu::neon_dotprod {
namespace {

// Codes of a plane, times 16 for plane 1 and 4 for plane 2.
template <int kPlane>
inline int8x16_t codes(uint8x16_t w) noexcept {
  if constexpr (kPlane == 0)
    return vreinterpretq_s8_u8(vshrq_n_u8(w, 6));
  else
    return vreinterpretq_s8_u8(vandq_u8(w, vdupq_n_u8(0xC0 >> (2 * kPlane))));
}

// One for each row of a tile.
struct Sums {
  int32x4_t r0{}, r1{}, r2{}, r3{};
};

inline void divide_by_4(Sums& s) noexcept {
  s.r0 = vshrq_n_s32(s.r0, 2), s.r1 = vshrq_n_s32(s.r1, 2);
  s.r2 = vshrq_n_s32(s.r2, 2), s.r3 = vshrq_n_s32(s.r3, 2);
}

void store(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token,
           const Sums& s) noexcept {
  const int32x4_t coded = vpaddq_s32(vpaddq_s32(s.r0, s.r1), vpaddq_s32(s.r2, s.r3));
  const int32x4_t sum = vsubq_s32(coded, vdupq_n_s32(a.activation_sum[token]));
  const float32x4_t y = vmulq_n_f32(vcvtq_f32_s32(sum), a.token_scale[token]);
  float* out = a.out + token * a.out_stride + tile.first;
  if (tile.valid == kTileRows) {
    vst1q_f32(out, y);
    return;
  }
  float results[kTileRows];
  vst1q_f32(results, y);
  for (std::int64_t i = 0; i < tile.valid; ++i) out[i] = results[i];
}

// A row times one token: planes 0 and 3 share a sum, 1 and 2 have their own.
inline int32x4_t gemv_row(const TernaryLinearArgs& a, const std::uint8_t* w) noexcept {
  int32x4_t once{}, by4{}, by16{};
  for (std::int64_t b = 0; b < a.blocks; ++b) {
    __builtin_prefetch(w + 32 * b + kPrefetchBytes);
    for (int half = 0; half < 32; half += 16) {
      const std::int8_t* x = a.activations + 256 * (b / 2) + 32 * (b % 2) + half;
      const uint8x16_t v = vld1q_u8(w + 32 * b + half);
      once = vdotq_s32(once, codes<0>(v), vld1q_s8(x));
      by16 = vdotq_s32(by16, codes<1>(v), vld1q_s8(x + 64));
      by4 = vdotq_s32(by4, codes<2>(v), vld1q_s8(x + 128));
      once = vdotq_s32(once, codes<3>(v), vld1q_s8(x + 192));
    }
  }
  return vaddq_s32(once, vaddq_s32(vshrq_n_s32(by4, 2), vshrq_n_s32(by16, 4)));
}

// One token: row after row, so that weights are read once and in order.
void gemv(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t first = 0; first < a.rows; first += kTileRows) {
    const RowTile tile = row_tile(a, first);
    store(a, tile, 0,
          {gemv_row(a, tile.w0), gemv_row(a, tile.w1), gemv_row(a, tile.w2), gemv_row(a, tile.w3)});
  }
}

template <int kTokens, int kPlane>
inline void add_plane(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token,
                      Sums& sum0, Sums& sum1, Sums& sum2, Sums& sum3) noexcept {
  const std::int64_t stride = a.activation_stride;
  for (std::int64_t b = 0; b < a.blocks; ++b)
    for (int half = 0; half < 32; half += 16) {
      const std::int8_t* x =
          a.activations + token * stride + 256 * (b / 2) + 64 * kPlane + 32 * (b % 2) + half;
      const std::int64_t at = 32 * b + half;
      const int8x16_t c0 = codes<kPlane>(vld1q_u8(tile.w0 + at));
      const int8x16_t c1 = codes<kPlane>(vld1q_u8(tile.w1 + at));
      const int8x16_t c2 = codes<kPlane>(vld1q_u8(tile.w2 + at));
      const int8x16_t c3 = codes<kPlane>(vld1q_u8(tile.w3 + at));
      const auto add = [&](Sums& s, const std::int8_t* of_token) {
        const int8x16_t q = vld1q_s8(of_token);
        s.r0 = vdotq_s32(s.r0, c0, q), s.r1 = vdotq_s32(s.r1, c1, q);
        s.r2 = vdotq_s32(s.r2, c2, q), s.r3 = vdotq_s32(s.r3, c3, q);
      };
      add(sum0, x);
      if constexpr (kTokens > 1) add(sum1, x + stride);
      if constexpr (kTokens > 2) add(sum2, x + 2 * stride);
      if constexpr (kTokens > 3) add(sum3, x + 3 * stride);
    }
}

// Several tokens: planes 1, 2, 3 with the sums divided by 4 (exactly) in between, then plane 0.
template <int kTokens>
void gemm_tile(const TernaryLinearArgs& a, const RowTile& tile, std::int64_t token) noexcept {
  Sums sum0, sum1, sum2, sum3;
  const auto divide = [&] {
    divide_by_4(sum0), divide_by_4(sum1), divide_by_4(sum2), divide_by_4(sum3);
  };
  add_plane<kTokens, 1>(a, tile, token, sum0, sum1, sum2, sum3);
  divide();
  add_plane<kTokens, 2>(a, tile, token, sum0, sum1, sum2, sum3);
  divide();
  add_plane<kTokens, 3>(a, tile, token, sum0, sum1, sum2, sum3);
  add_plane<kTokens, 0>(a, tile, token, sum0, sum1, sum2, sum3);
  store(a, tile, token, sum0);
  if constexpr (kTokens > 1) store(a, tile, token + 1, sum1);
  if constexpr (kTokens > 2) store(a, tile, token + 2, sum2);
  if constexpr (kTokens > 3) store(a, tile, token + 3, sum3);
}

constexpr GemmTileFn* kGemmTile[] = {gemm_tile<1>, gemm_tile<2>, gemm_tile<3>, gemm_tile<4>};

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1)
    gemv(a);
  else
    gemm(a, kGemmTile);
}

}  // namespace bitnet::cpu::neon_dotprod
