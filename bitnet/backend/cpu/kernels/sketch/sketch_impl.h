// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the sketch kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/dense_linear/weight_rows.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

namespace {  // no weak symbols in kernel files

// The smallest half that is not below x >= 0, so that no weight over it exceeds 31; 0 where that
// would be no normal number, infinity beyond the largest.
std::uint16_t half_above(float x) noexcept {
  if (!(x >= 0x1p-14f)) return 0;
  if (x > 65504.0f) return 0x7c00;
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x) + 0x1fffu;
  return static_cast<std::uint16_t>((bits >> 13) - (112u << 10));
}

}  // namespace

namespace {

// One block's codes of 16 rows, codes[row * stride + column], to vectors of four bytes a row.
void arrange(const std::uint8_t* codes, std::int64_t stride, std::uint8_t* to) noexcept {
  alignas(64) std::uint8_t four[8][64];  // columns 4 j + i of row r at [j][4 r + i]
  for (int j = 0; j < 8; ++j)
    for (int r = 0; r < 16; ++r) __builtin_memcpy(four[j] + 4 * r, codes + r * stride + 4 * j, 4);
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 64; ++i)
      to[64 * j + i] =
          static_cast<std::uint8_t>((four[2 * j][i] & 15) | (four[2 * j + 1][i] & 15) << 4);
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 64; ++i)
      to[256 + 64 * j + i] =
          static_cast<std::uint8_t>(four[4 * j][i] >> 4 | four[4 * j + 1][i] >> 4 << 2 |
                                    four[4 * j + 2][i] >> 4 << 4 | four[4 * j + 3][i] >> 4 << 6);
}

}  // namespace

// Two blocks of a row at a time: codes[0..64) and the bits of two halves; own, sketch, error are
// added to.
template <class V>
struct RowSums {
  V own = V::zero(), sketch = V::zero(), error = V::zero();
};

template <class V, class Row>
static inline void sketch_block(const std::uint8_t* from, std::uint8_t* codes, std::uint8_t* half,
                                RowSums<V>& sums) {
  const V magic = V::set1(0x1.8p23f);  // adding it rounds |y| <= 2^22 to an integer, halves to even
  const V w[2] = {Row::load(from), Row::load(from + 16 * std::int64_t{Row::kBytes})};
  const V most = V::max(V::max(w[0], -w[0]), V::max(w[1], -w[1]));
  const std::uint16_t d_bits = half_above(most.max_lane() / 31.0f);
  half[0] = static_cast<std::uint8_t>(d_bits & 255);
  half[1] = static_cast<std::uint8_t>(d_bits >> 8);
  const V d = V::set1_f16(half);
  const V inverse = d_bits == 0 ? V::zero() : V::set1(1.0f) / d;
  for (int i = 0; i < 2; ++i) {
    const V shifted = w[i] * inverse + magic;
    (shifted + V::set1(32.0f)).store_low_bytes(codes + 16 * i);
    const V s = d * (shifted - magic);  // exact: 11 + 5 bits
    const V e = w[i] - s;
    sums.own = V::fma(w[i], w[i], sums.own);
    sums.sketch = V::fma(s, s, sums.sketch);
    sums.error = V::fma(e, e, sums.error);
  }
}

template <class V, class Row>
static inline void sketch_rows_of(const SketchArgs& a) {
  using namespace sketch_tiles;
  for (std::int64_t first = 0; first < a.rows; first += kRows) {
    std::uint8_t* tile = a.out + first / kRows * strip_bytes(a.cols);
    RowSums<V> sums[kRows];
    for (std::int64_t k = 0; k < a.cols; k += kPairColumns, tile += kTileBytes) {
      alignas(64) std::uint8_t codes[kRows][kPairColumns];
      __builtin_memset(tile, 0, 64);
      __builtin_memset(codes, 32, sizeof codes);
      for (std::int64_t r = 0; r < kRows && first + r < a.rows; ++r)
        for (std::int64_t b = 0; b < 2 && k + 32 * b < a.cols; ++b)
          sketch_block<V, Row>(static_cast<const std::uint8_t*>(a.weights) +
                                   (first + r) * a.row_bytes +
                                   (k + 32 * b) * std::int64_t{Row::kBytes},
                               codes[r] + 32 * b, tile + 32 * b + 2 * r, sums[r]);
      arrange(codes[0], kPairColumns, tile + 64);
      arrange(codes[0] + 32, kPairColumns, tile + 64 + kBlockBytes);
    }
    for (std::int64_t r = 0; r < kRows && first + r < a.rows; ++r) {
      float* to = a.squares + 3 * (first + r);
      to[0] = sums[r].own.sum();
      to[1] = sums[r].sketch.sum();
      to[2] = sums[r].error.sum();
    }
  }
}

template <class V>
static inline void sketch_rows(const SketchArgs& a) {
  switch (static_cast<DType>(a.dtype)) {
    case DType::f32:
      return sketch_rows_of<V, F32Row<V>>(a);
    case DType::f16:
      return sketch_rows_of<V, F16Row<V>>(a);
    case DType::bf16:
      return sketch_rows_of<V, Bf16Row<V>>(a);
    default:
      return;  // refused by ops/linear.cc
  }
}

}  // namespace bitnet::cpu
