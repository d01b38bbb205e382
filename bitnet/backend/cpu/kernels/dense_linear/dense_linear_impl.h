// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of the dense linear kernels over a vector type (simd/): dot16 of rows and tokens,
// a tile of them at a time so that each loaded vector is used several times and 8 or more
// independent fma chains hide the latency of 4 cycles.
#pragma once

#include <cstddef>

#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/kernels/dense_linear/weight_rows.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

/// Rows in a tile of a single token: with 4 the prefetched tile (20 KB of bf16 at 2560 columns)
/// fits in the L1 cache beside the one in use; 8 came to 5 % less of the read bandwidth.
constexpr int kTileOfOneToken = 4;

/// Rows of weights that lie ready in memory, and where their results go.
struct DenseRows {
  const std::uint8_t* weights;
  std::int64_t row_bytes;
  float* out;
  std::int64_t rows;
};

/// out[t][r] = dot16(weights[r], x[t]) for kRows rows and kTokens tokens. kPrefetch: the next
/// tile's rows are fetched into the cache meanwhile (a prefetch beyond the matrix does no harm).
template <class V, class Row, int kRows, int kTokens, bool kPrefetch>
static inline void dot_tile(const std::uint8_t* w, std::int64_t row_bytes, const float* x,
                            std::int64_t x_stride, std::int64_t cols, float* out,
                            std::int64_t out_stride) {
  constexpr std::size_t kR = kRows, kT = kTokens;  // -Wsign-conversion minds int in array sizes
  V acc[kT][kR];
  for (int t = 0; t < kTokens; ++t)
    for (int r = 0; r < kRows; ++r) acc[t][r] = V::zero();
  const auto step = [&](const auto& weights_of, const auto& token) {
    V tokens[kT];
    for (int t = 0; t < kTokens; ++t) tokens[t] = token(t);
    for (int r = 0; r < kRows; ++r) {
      const V weights = weights_of(r);
      for (int t = 0; t < kTokens; ++t) acc[t][r] = V::fma(weights, tokens[t], acc[t][r]);
    }
  };
  const auto whole_step = [&](std::int64_t k) {
    step([&](int r) { return Row::load(w + r * row_bytes + k * std::int64_t{Row::kBytes}); },
         [&](int t) { return V::load(x + t * x_stride + k); });
  };
  std::int64_t k = 0;
  if constexpr (kPrefetch) {
    constexpr std::int64_t kLine = 64 / Row::kBytes;
    auto next =
        reinterpret_cast<std::uintptr_t>(w) + static_cast<std::uintptr_t>(kRows * row_bytes);
    for (; k + kLine <= cols; k += kLine) {
      for (int r = 0; r < kRows; ++r, next += 64)
        __builtin_prefetch(reinterpret_cast<const void*>(next), 0, 3);
      for (std::int64_t i = 0; i < kLine; i += 16) whole_step(k + i);
    }
  }
  for (; k + 16 <= cols; k += 16) whole_step(k);
  if (k < cols)
    step(
        [&](int r) {
          const PaddedTail<Row::kBytes> tail(w + r * row_bytes + k * std::int64_t{Row::kBytes},
                                             cols - k);
          return Row::load(tail.data);
        },
        [&](int t) { return V::load_partial(x + t * x_stride + k, static_cast<int>(cols - k)); });
  for (int t = 0; t < kTokens; ++t)
    for (int r = 0; r < kRows; ++r) out[t * out_stride + r] = acc[t][r].sum();
}

/// All rows for kTokens tokens, kRows at a time, then one by one.
template <class V, class Row, int kRows, int kTokens, bool kPrefetch = false>
static inline void dot_rows(const DenseRows& m, const DenseLinearArgs& a, std::int64_t token) {
  const float* x = a.x + token * a.x_stride;
  float* out = m.out + token * a.out_stride;
  std::int64_t r = 0;
  for (; r + kRows <= m.rows; r += kRows)
    dot_tile<V, Row, kRows, kTokens, kPrefetch>(m.weights + r * m.row_bytes, m.row_bytes, x,
                                                a.x_stride, a.cols, out + r, a.out_stride);
  for (; r < m.rows; ++r)
    dot_tile<V, Row, 1, kTokens, kPrefetch>(m.weights + r * m.row_bytes, m.row_bytes, x, a.x_stride,
                                            a.cols, out + r, a.out_stride);
}

/// All tokens. Tiles: 6 x 4 accumulators of 32 registers, 3 x 2 where there are 8.
template <class V, class Row>
static inline void dot_tokens(const DenseRows& m, const DenseLinearArgs& a) {
  constexpr bool kMany = V::kRegisters >= 32;
  constexpr int kRows = kMany ? 6 : 3, kTokens = kMany ? 4 : 2;
  std::int64_t t = 0;
  for (; t + kTokens <= a.tokens; t += kTokens) dot_rows<V, Row, kRows, kTokens>(m, a, t);
  for (; t < a.tokens; ++t) dot_rows<V, Row, kTileOfOneToken, 1>(m, a, t);
}

template <class V, class Row>
static inline void stored_linear(const DenseLinearArgs& a) {
  const auto* weights = static_cast<const std::uint8_t*>(a.weights);
  if (a.tokens == 1) {
    dot_rows<V, Row, kTileOfOneToken, 1, true>({weights, a.row_bytes, a.out, a.rows}, a, 0);
    return;
  }
  // 48 rows of 2560 bf16 weights are 240 KB: they stay in the L2 cache for all tokens.
  constexpr std::int64_t kBlockRows = 48;
  for (std::int64_t r = 0; r < a.rows; r += kBlockRows) {
    const std::int64_t rows = a.rows - r < kBlockRows ? a.rows - r : kBlockRows;
    dot_tokens<V, Row>({weights + r * a.row_bytes, a.row_bytes, a.out + r, rows}, a);
  }
}

/// One token: blocks are decoded in registers, rows side by side, the next rows prefetched.
template <class V, class Format, int kRows>
static inline void block_dot_tile(const std::uint8_t* w, const DenseLinearArgs& a, float* out) {
  constexpr std::size_t kR = kRows;
  V acc[kR];
  for (int r = 0; r < kRows; ++r) acc[r] = V::zero();
  for (std::int64_t k = 0; k < a.cols; k += Format::kBlock, w += Format::kBlockBytes)
    for (int r = 0; r < kRows; ++r) {
      const std::uint8_t* block = w + r * a.row_bytes;
      for (int line = 0; line < Format::kBlockBytes; line += 64) {
        const auto next = reinterpret_cast<std::uintptr_t>(block + line);
        __builtin_prefetch(
            reinterpret_cast<const void*>(next + static_cast<std::uintptr_t>(kRows * a.row_bytes)));
      }
      Format::for_values(block, [&](int i, const V& values) {
        acc[r] = V::fma(values, V::load(a.x + k + 16 * i), acc[r]);
      });
    }
  for (int r = 0; r < kRows; ++r) out[r] = acc[r].sum();
}

template <class V, class Format>
static inline void decoded_linear(const DenseLinearArgs& a) {
  const auto* weights = static_cast<const std::uint8_t*>(a.weights);
  std::int64_t r = 0;
  if (a.tokens == 1) {
    for (; r + kTileOfOneToken <= a.rows; r += kTileOfOneToken)
      block_dot_tile<V, Format, kTileOfOneToken>(weights + r * a.row_bytes, a, a.out + r);
    for (; r < a.rows; ++r) block_dot_tile<V, Format, 1>(weights + r * a.row_bytes, a, a.out + r);
    return;
  }
  const std::int64_t stride = (a.cols + 15) / 16 * 16;
  const auto* decoded = reinterpret_cast<const std::uint8_t*>(a.scratch);
  for (; r < a.rows; r += kDecodedRows) {
    const std::int64_t rows = a.rows - r < kDecodedRows ? a.rows - r : kDecodedRows;
    for (std::int64_t i = 0; i < rows; ++i)
      decode_row<Format>(weights + (r + i) * a.row_bytes, a.scratch + i * stride, a.cols);
    dot_tokens<V, F32Row<V>>({decoded, stride * 4, a.out + r, rows}, a);
  }
}

template <class V>
static inline void dense_linear_rows(const DenseLinearArgs& a) {
  switch (static_cast<DType>(a.dtype)) {
    case DType::f32:
      return stored_linear<V, F32Row<V>>(a);
    case DType::f16:
      return stored_linear<V, F16Row<V>>(a);
    case DType::bf16:
      return stored_linear<V, Bf16Row<V>>(a);
    case DType::q8_0:
      return decoded_linear<V, Q8_0<V>>(a);
    case DType::q4_0:
      return decoded_linear<V, Q4_0<V>>(a);
    case DType::q6_k:
      return decoded_linear<V, Q6K<V>>(a);
    default:
      return;  // refused by ops/linear.cc
  }
}

template <class V>
static inline void embed_row(const std::uint8_t* p, DType dtype, float* out, std::int64_t cols) {
  switch (dtype) {
    case DType::f32:
      return convert_row<V, F32Row<V>>(p, out, cols);
    case DType::f16:
      return convert_row<V, F16Row<V>>(p, out, cols);
    case DType::bf16:
      return convert_row<V, Bf16Row<V>>(p, out, cols);
    case DType::q8_0:
      return decode_row<Q8_0<V>>(p, out, cols);
    case DType::q4_0:
      return decode_row<Q4_0<V>>(p, out, cols);
    case DType::q6_k:
      return decode_row<Q6K<V>>(p, out, cols);
    default:
      return;  // refused by ops/linear.cc
  }
}

template <class V>
static inline void embed_rows(const EmbedArgs& a) {
  const auto* weights = static_cast<const std::uint8_t*>(a.weights);
  for (std::int64_t t = 0; t < a.tokens; ++t)
    embed_row<V>(weights + a.ids[t] * a.row_bytes, static_cast<DType>(a.dtype),
                 a.out + t * a.out_stride, a.cols);
}

}  // namespace bitnet::cpu
