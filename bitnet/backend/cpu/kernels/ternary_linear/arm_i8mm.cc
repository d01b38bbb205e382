// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layer with smmla: 2 tokens x 8 columns times 8 columns x 2 rows. One token has
// nothing to gain from it and takes sdot. A whole row of a plane goes into one 32-bit sum, 2^20
// columns at most (cols <= 2^22): plane 2 may count 4 times, 2^30, planes 0 and 1 are shifted down.
#include <arm_neon.h>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/tiles.h"

namespace bitnet::cpu::neon_i8mm {
namespace {

constexpr std::int64_t kTileTokens = 4;

// Codes of a plane, times 4 for plane 2.
template <int kPlane>
inline int8x16_t codes(uint8x16_t w) noexcept {
  if constexpr (kPlane == 0) return vreinterpretq_s8_u8(vshrq_n_u8(w, 6));
  if constexpr (kPlane == 1) return vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(w, 4), vdupq_n_u8(3)));
  if constexpr (kPlane == 2) return vreinterpretq_s8_u8(vandq_u8(w, vdupq_n_u8(0x0C)));
  return vreinterpretq_s8_u8(vandq_u8(w, vdupq_n_u8(3)));
}

// The lower (upper) eight bytes of two vectors.
inline uint8x16_t lower(uint8x16_t a, uint8x16_t b) noexcept {
  return vreinterpretq_u8_u64(vzip1q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}
inline uint8x16_t upper(uint8x16_t a, uint8x16_t b) noexcept {
  return vreinterpretq_u8_u64(vzip2q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
}

// Rows and tokens of a tile; past the last one the last again, its results are not stored.
struct Tile {
  const std::uint8_t *w0, *w1, *w2, *w3;
  const std::int8_t *x0, *x1, *x2, *x3;
  std::int64_t row, rows, token, tokens;
};

Tile tile_at(const TernaryLinearArgs& a, std::int64_t row, std::int64_t token) noexcept {
  const std::int64_t rows = a.rows - row < kTileRows ? a.rows - row : kTileRows;
  const std::int64_t tokens = a.tokens - token < kTileTokens ? a.tokens - token : kTileTokens;
  const auto w = [&](std::int64_t i) {
    return a.weights + (row + (i < rows ? i : rows - 1)) * a.row_bytes;
  };
  const auto x = [&](std::int64_t i) {
    return a.activations + (token + (i < tokens ? i : tokens - 1)) * a.activation_stride;
  };
  return {w(0), w(1), w(2), w(3), x(0), x(1), x(2), x(3), row, rows, token, tokens};
}

// Of two tokens: lanes {t0 r0, t0 r1, t1 r0, t1 r1} of rows 0, 1 and of rows 2, 3.
struct Sums {
  int32x4_t r01{}, r23{};
};

inline void divide_by_4(Sums& s) noexcept {
  s.r01 = vshrq_n_s32(s.r01, 2), s.r23 = vshrq_n_s32(s.r23, 2);
}

template <int kPlane, bool kFourTokens>
inline void add_plane(const TernaryLinearArgs& a, const Tile& tile, Sums& t01, Sums& t23) noexcept {
  for (std::int64_t b = 0; b < a.blocks; ++b)
    for (int half = 0; half < 32; half += 16) {
      const std::int64_t at = 32 * b + half;
      const uint8x16_t w0 = vld1q_u8(tile.w0 + at), w1 = vld1q_u8(tile.w1 + at);
      const uint8x16_t w2 = vld1q_u8(tile.w2 + at), w3 = vld1q_u8(tile.w3 + at);
      const int8x16_t lower01 = codes<kPlane>(lower(w0, w1));
      const int8x16_t upper01 = codes<kPlane>(upper(w0, w1));
      const int8x16_t lower23 = codes<kPlane>(lower(w2, w3));
      const int8x16_t upper23 = codes<kPlane>(upper(w2, w3));
      const std::int64_t column = 256 * (b / 2) + 64 * kPlane + 32 * (b % 2) + half;
      const auto add = [&](Sums& s, const std::int8_t* x, const std::int8_t* y) {
        const uint8x16_t q = vreinterpretq_u8_s8(vld1q_s8(x + column));
        const uint8x16_t p = vreinterpretq_u8_s8(vld1q_s8(y + column));
        const int8x16_t q_lower = vreinterpretq_s8_u8(lower(q, p));
        const int8x16_t q_upper = vreinterpretq_s8_u8(upper(q, p));
        s.r01 = vmmlaq_s32(vmmlaq_s32(s.r01, q_lower, lower01), q_upper, upper01);
        s.r23 = vmmlaq_s32(vmmlaq_s32(s.r23, q_lower, lower23), q_upper, upper23);
      };
      add(t01, tile.x0, tile.x1);
      if constexpr (kFourTokens) add(t23, tile.x2, tile.x3);
    }
}

void store(const TernaryLinearArgs& a, const Tile& tile, std::int64_t i, int32x4_t coded) noexcept {
  if (i >= tile.tokens) return;
  const std::int64_t token = tile.token + i;
  const int32x4_t sum = vsubq_s32(coded, vdupq_n_s32(a.activation_sum[token]));
  const float32x4_t y = vmulq_n_f32(vcvtq_f32_s32(sum), a.token_scale[token]);
  float* out = a.out + token * a.out_stride + tile.row;
  if (tile.rows == kTileRows) {
    vst1q_f32(out, y);
    return;
  }
  float results[kTileRows];
  vst1q_f32(results, y);
  for (std::int64_t r = 0; r < tile.rows; ++r) out[r] = results[r];
}

void store_two(const TernaryLinearArgs& a, const Tile& tile, std::int64_t i,
               const Sums& s) noexcept {
  store(a, tile, i, vcombine_s32(vget_low_s32(s.r01), vget_low_s32(s.r23)));
  store(a, tile, i + 1, vcombine_s32(vget_high_s32(s.r01), vget_high_s32(s.r23)));
}

template <bool kFourTokens>
void run_tile(const TernaryLinearArgs& a, const Tile& tile) noexcept {
  Sums t01, t23;
  add_plane<2, kFourTokens>(a, tile, t01, t23);
  divide_by_4(t01), divide_by_4(t23);
  add_plane<0, kFourTokens>(a, tile, t01, t23);
  add_plane<1, kFourTokens>(a, tile, t01, t23);
  add_plane<3, kFourTokens>(a, tile, t01, t23);
  store_two(a, tile, 0, t01);
  if constexpr (kFourTokens) store_two(a, tile, 2, t23);
}

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  if (a.tokens == 1) {
    neon_dotprod::ternary_linear(a);
    return;
  }
  for_tiles(a, kTileTokens, [&](std::int64_t r, std::int64_t t) {
    const Tile tile = tile_at(a, r, t);
    if (tile.tokens > 2)
      run_tile<true>(a, tile);
    else
      run_tile<false>(a, tile);
  });
}

}  // namespace bitnet::cpu::neon_i8mm
