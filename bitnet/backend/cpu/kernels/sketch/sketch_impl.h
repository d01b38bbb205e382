// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the sketch kernels over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/dense_linear/weight_rows.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

namespace {  // no weak symbols in kernel files

// The smallest half that is not below x >= 0, so that no weight over it exceeds 31.5; 0 where that
// would be no normal number, infinity beyond the largest.
std::uint16_t half_above(float x) noexcept {
  if (!(x >= 0x1p-14f)) return 0;
  if (x > 65504.0f) return 0x7c00;
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x) + 0x1fffu;
  return static_cast<std::uint16_t>((bits >> 13) - (112u << 10));
}

// The upper bits of one block's codes of 16 rows, codes[row * stride + column], to vectors of four
// bytes a row.
void arrange(const std::uint8_t* codes, std::int64_t stride, std::uint8_t* to) noexcept {
  alignas(64) std::uint8_t four[16][64];  // columns 4 j + i of row r at [j][4 r + i]
  for (int j = 0; j < 16; ++j)
    for (int r = 0; r < 16; ++r) __builtin_memcpy(four[j] + 4 * r, codes + r * stride + 4 * j, 4);
  for (int j = 0; j < 8; ++j)
    for (int i = 0; i < 64; ++i)
      to[64 * j + i] = static_cast<std::uint8_t>((four[2 * j][i] >> 1 & 15) |
                                                 (four[2 * j + 1][i] >> 2 & 15) << 4);
  for (int j = 0; j < 2; ++j)
    for (int i = 0; i < 64; ++i) {
      int byte = 0;
      for (int k = 0; k < 8; ++k)
        byte |= (four[8 * j + k][i] >> (k % 2 ? 1 : 5) & 1) << sketch_tiles::fifth_bit(k);
      to[512 + 64 * j + i] = static_cast<std::uint8_t>(byte);
    }
}

// The last bits of one block's codes of a row.
void gather_last(const std::uint8_t* codes, std::uint8_t* to) noexcept {
  for (int j = 0; j < 8; ++j) {
    std::uint64_t eight;
    __builtin_memcpy(&eight, codes + 8 * j, sizeof eight);
    // Bit 0 of each byte into the top byte: byte i comes to bit 56 + i.
    to[j] = static_cast<std::uint8_t>((eight & 0x0101010101010101u) * 0x0102040810204080u >> 56);
  }
}

}  // namespace

template <class V>
struct RowSums {
  V own = V::zero(), sketch = V::zero(), error = V::zero(), last_error = V::zero();
};

// One block of a row, of which `columns` (32 or 64) are there: codes, the bits of a half; sums are
// added to.
template <class V, class Row>
static inline void sketch_block(const std::uint8_t* from, std::int64_t columns, std::uint8_t* codes,
                                std::uint8_t* half, RowSums<V>& sums) {
  const V magic = V::set1(0x1.8p23f);  // adding it rounds |y| <= 2^22 to an integer, halves to even
  const int vectors = static_cast<int>(columns / 16);
  V w[4], most = V::zero();
  for (int i = 0; i < vectors; ++i) {
    w[i] = Row::load(from + 16 * i * std::int64_t{Row::kBytes});
    most = V::max(most, V::max(w[i], -w[i]));
  }
  const std::uint16_t d_bits = half_above(most.max_lane() / 31.5f);
  half[0] = static_cast<std::uint8_t>(d_bits & 255);
  half[1] = static_cast<std::uint8_t>(d_bits >> 8);
  const V d = V::set1_f16(half);
  const V inverse = d_bits == 0 ? V::zero() : V::set1(1.0f) / d;
  for (int i = 0; i < vectors; ++i) {
    const V shifted = (w[i] * inverse - V::set1(0.5f)) + magic;
    (shifted + V::set1(32.0f)).store_low_bytes(codes + 16 * i);
    const V n = shifted - magic;                                           // c - 32
    const V u = (n * V::set1(0.5f) - V::set1(0.25f) + magic) - magic;      // c / 2 - 16
    const V s = d * (u + u + V::set1(1.0f)), f = d * (n + V::set1(0.5f));  // exact: 11 + 6 bits
    const V e = w[i] - s, last = w[i] - f;
    sums.own = V::fma(w[i], w[i], sums.own);
    sums.sketch = V::fma(s, s, sums.sketch);
    sums.error = V::fma(e, e, sums.error);
    sums.last_error = V::fma(last, last, sums.last_error);
  }
}

template <class V, class Row>
static inline void sketch_rows_of(const SketchArgs& a) {
  using namespace sketch_tiles;
  const std::int64_t last_bytes = last_row_bytes(a.cols), blocks = 2 * pairs(a.cols);
  for (std::int64_t first = 0; first < a.rows; first += kRows) {
    std::uint8_t* tile = a.out + first / kRows * strip_bytes(a.cols);
    const std::int64_t rows = a.rows - first < kRows ? a.rows - first : kRows;
    RowSums<V> sums[kRows];
    for (std::int64_t block = 0; block < blocks; block += 2, tile += kTileBytes) {
      alignas(64) std::uint8_t codes[kRows][kPairColumns];
      __builtin_memset(tile, 0, 64);
      __builtin_memset(codes, 32, sizeof codes);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t b = 0; b < 2; ++b) {
          const std::int64_t k = (block + b) * kBlockColumns, left = a.cols - k;
          std::uint8_t* half = tile + 32 * b + 2 * r;
          if (left > 0)
            sketch_block<V, Row>(static_cast<const std::uint8_t*>(a.weights) +
                                     (first + r) * a.row_bytes + k * std::int64_t{Row::kBytes},
                                 left < kBlockColumns ? left : kBlockColumns,
                                 codes[r] + kBlockColumns * b, half, sums[r]);
          std::uint8_t* last = a.last + (first + r) * last_bytes;
          gather_last(codes[r] + kBlockColumns * b, last + (block + b) * kLastBitsBytes);
          __builtin_memcpy(last + blocks * kLastBitsBytes + 2 * (block + b), half, 2);
        }
      arrange(codes[0], kPairColumns, tile + 64);
      arrange(codes[0] + kBlockColumns, kPairColumns, tile + 64 + kBlockBytes);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      float* to = a.squares + SketchArgs::kSums * (first + r);
      to[0] = sums[r].own.sum();
      to[1] = sums[r].sketch.sum();
      to[2] = sums[r].error.sum();
      to[3] = sums[r].last_error.sum();
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
