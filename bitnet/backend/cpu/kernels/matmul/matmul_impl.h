// SPDX-License-Identifier: MIT OR Apache-2.0
// The arithmetic of float matrix products over a vector type (simd/).
#pragma once

#include "bitnet/backend/cpu/kernels/matmul/matmul.h"

namespace bitnet::cpu {

// 16 elements of a type as floats.
template <class V>
struct FromF32 {
  static constexpr std::int64_t kSize = 4;
  static V load(const unsigned char* p) { return V::load(p); }
};
template <class V>
struct FromF16 {
  static constexpr std::int64_t kSize = 2;
  static V load(const unsigned char* p) { return V::load_f16(p); }
};
template <class V>
struct FromBf16 {
  static constexpr std::int64_t kSize = 2;
  static V load(const unsigned char* p) { return V::load_bf16(p); }
};

// Calls f(From{}) for the type.
template <class V, class F>
static inline void with_source(DType type, const F& f) {
  if (type == DType::bf16) return f(FromBf16<V>{});
  if (type == DType::f16) return f(FromF16<V>{});
  f(FromF32<V>{});
}

// The first n elements, 0 < n; the others are 0.
template <class From>
static inline auto load_first(const unsigned char* p, std::int64_t n) {
  if (n >= 16) return From::load(p);
  unsigned char bytes[64] = {};
  __builtin_memcpy(bytes, p, static_cast<std::size_t>(n * From::kSize));
  return From::load(bytes);
}

// Elements that lie along the panels' rows are copied, a row of all panels at a time: rows of a
// large matrix lie pages apart.
template <class V, class From>
static inline void pack_along(const PackRun& r) {
  for (std::int64_t k = 0; k < r.depth; ++k)
    for (std::int64_t first = 0; first < r.count; first += r.width) {
      const unsigned char* from = r.from + k * r.depth_step + first * From::kSize;
      float* to = r.panels + first * r.depth + k * r.width;
      // Up to 15 floats too many: those of the next row, which is written later, or slack.
      for (std::int64_t i = 0; i < r.width; i += 16) {
        const std::int64_t left = r.count - first - i;
        (left > 0 ? load_first<From>(from + i * From::kSize, left) : V::zero()).store(to + i);
      }
    }
}

// Elements that lie along k: 16 x 16 of them are turned in registers.
template <class V, class From>
static inline void pack_across(const PackRun& r) {
  for (std::int64_t first = 0; first < r.count; first += r.width)
    for (std::int64_t k = 0; k < r.depth; k += 16) {
      const std::int64_t deep = r.depth - k < 16 ? r.depth - k : 16;
      float* to = r.panels + first * r.depth + k * r.width;
      for (std::int64_t i = 0; i < r.width; i += 16) {
        V rows[16];
        for (std::int64_t j = 0; j < 16; ++j) {
          const std::int64_t at = first + i + j;
          // Two lines ahead: the machine's prefetchers do not follow so many rows.
          __builtin_prefetch(r.from + at * r.step + (k + 32) * From::kSize);
          rows[j] = i + j < r.width && at < r.count
                        ? load_first<From>(r.from + at * r.step + k * From::kSize, deep)
                        : V::zero();
        }
        V::transpose(rows);
        const int n = r.width - i < 16 ? static_cast<int>(r.width - i) : 16;
        for (std::int64_t j = 0; j < deep; ++j) {
          if (n == 16)
            rows[j].store(to + j * r.width + i);
          else
            rows[j].store_partial(to + j * r.width + i, n);
        }
      }
    }
}

// Panels of up to 16 columns overwrite what pack_along() stores behind a row only if they are
// packed one after another.
template <class V>
static inline void pack_run(const PackRun& r) {
  with_source<V>(r.dtype, [&](auto from) {
    using From = decltype(from);
    if (r.step != From::kSize) return pack_across<V, From>(r);
    if (r.width % 16 == 0) return pack_along<V, From>(r);
    PackRun one = r;
    for (std::int64_t first = 0; first < r.count; first += r.width) {
      one.from = r.from + first * From::kSize;
      one.count = r.count - first < r.width ? r.count - first : r.width;
      one.panels = r.panels + first * r.depth;
      pack_along<V, From>(one);
    }
  });
}

template <class V, unsigned kRows, unsigned kVectors, bool kPacked>
static inline void tile_run(const TileRun& r) {
  const float *a = r.a, *b = r.b;
  const std::int64_t b_step = kPacked ? 16 * kVectors : r.b_step;
  bool first = r.first;
  for (std::int64_t left = r.depth; left > 0; left -= kMatmulChain) {
    const std::int64_t deep = left < kMatmulChain ? left : kMatmulChain;
    V sum[kRows][kVectors];
#pragma GCC unroll 16
    for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (unsigned v = 0; v < kVectors; ++v) sum[i][v] = V::zero();
    for (std::int64_t k = 0; k < deep; ++k) {
      V row[kVectors];
#pragma GCC unroll 2
      for (unsigned v = 0; v < kVectors; ++v) {
        row[v] = V::load(b + 16 * v);
        // Rows of b lie pages apart, which no prefetcher of the machine follows.
        if (!kPacked) __builtin_prefetch(b + r.ahead + 16 * v);
      }
#pragma GCC unroll 16
      for (unsigned i = 0; i < kRows; ++i) {
        const V x = V::set1(a[i]);
#pragma GCC unroll 2
        for (unsigned v = 0; v < kVectors; ++v) sum[i][v] = V::fma(x, row[v], sum[i][v]);
      }
      a += kRows;
      b += b_step;
    }
#pragma GCC unroll 16
    for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (unsigned v = 0; v < kVectors; ++v) {
        float* out = r.out + i * r.out_stride + 16 * v;
        (first ? sum[i][v] : V::load(out) + sum[i][v]).store(out);
      }
    first = false;
  }
}

// kDeep rows of b at a time, so that a partial sum is loaded and stored once for all of them.
template <class From, unsigned kRows, unsigned kDeep>
static inline void stream_rows(const StreamRun& r, std::int64_t k) {
  using V = decltype(From::load(nullptr));
  V x[kRows][kDeep];
  for (unsigned i = 0; i < kRows; ++i)
    for (unsigned d = 0; d < kDeep; ++d) x[i][d] = V::set1(r.a[i * r.a_stride + k + d]);
  for (std::int64_t j = 0; j < r.columns; j += 16) {
    const std::int64_t left = r.columns - j;
    V sum[kRows];
    for (unsigned i = 0; i < kRows; ++i) sum[i] = V::load(r.part + i * r.part_stride + j);
#pragma GCC unroll 8
    for (unsigned d = 0; d < kDeep; ++d) {
      const V row = load_first<From>(r.b + (k + d) * r.row_step + j * From::kSize, left);
      for (unsigned i = 0; i < kRows; ++i) sum[i] = V::fma(x[i][d], row, sum[i]);
    }
    for (unsigned i = 0; i < kRows; ++i) sum[i].store(r.part + i * r.part_stride + j);
  }
}

template <class From, unsigned kRows, unsigned kDeep>
static inline void stream_all(const StreamRun& r) {
  std::int64_t k = 0;
  for (; k + kDeep <= r.depth; k += kDeep) stream_rows<From, kRows, kDeep>(r, k);
  for (; k < r.depth; ++k) stream_rows<From, kRows, 1>(r, k);
}

// Rows of a: two together, the last alone.
template <class V, unsigned kDeep>
static inline void stream_run(const StreamRun& r) {
  with_source<V>(r.dtype, [&](auto from) {
    using From = decltype(from);
    StreamRun row = r;
    std::int64_t i = 0;
    for (; i + 2 <= r.rows; i += 2, row.a += 2 * r.a_stride, row.part += 2 * r.part_stride)
      stream_all<From, 2, kDeep / 2>(row);
    if (i < r.rows) stream_all<From, 1, kDeep>(row);
  });
}

template <class V, class From>
static inline void transposed_stream(const TransposedStreamRun& r) {
  V sum[4];
  for (std::int64_t i = 0; i < r.rows; ++i) sum[i] = V::load(r.part + 16 * i);
  for (std::int64_t k = 0; k < r.depth; k += 16) {
    const std::int64_t deep = r.depth - k < 16 ? r.depth - k : 16;
    V rows[16];
    if (r.columns == 16 && deep == 16) {
#pragma GCC unroll 16
      for (int j = 0; j < 16; ++j) rows[j] = From::load(r.b + j * r.column_step + k * From::kSize);
    } else {
      for (std::int64_t j = 0; j < 16; ++j)
        rows[j] = j < r.columns ? load_first<From>(r.b + j * r.column_step + k * From::kSize, deep)
                                : V::zero();
    }
    V::transpose(rows);
    for (std::int64_t i = 0; i < r.rows; ++i) {
      const float* a = r.a + i * r.a_stride + k;
      if (deep == 16) {
#pragma GCC unroll 16
        for (int d = 0; d < 16; ++d) sum[i] = V::fma(V::set1(a[d]), rows[d], sum[i]);
      } else {
        for (std::int64_t d = 0; d < deep; ++d) sum[i] = V::fma(V::set1(a[d]), rows[d], sum[i]);
      }
    }
  }
  for (std::int64_t i = 0; i < r.rows; ++i) sum[i].store(r.part + 16 * i);
}

template <class V>
static inline void transposed_stream_run(const TransposedStreamRun& r) {
  with_source<V>(r.dtype, [&](auto from) { transposed_stream<V, decltype(from)>(r); });
}

// tile[kRows], tile[kRows - 1], … tile[1]
template <class V, unsigned kRows, unsigned kVectors>
static inline void fill_tiles(MatmulKernels& kernels) {
  kernels.tile[kRows] = [](const TileRun& r) noexcept { tile_run<V, kRows, kVectors, true>(r); };
  kernels.loose_tile[kRows] = [](const TileRun& r) noexcept {
    tile_run<V, kRows, kVectors, false>(r);
  };
  if constexpr (kRows > 1) fill_tiles<V, kRows - 1, kVectors>(kernels);
}

template <class V, unsigned kRows, unsigned kVectors, unsigned kDeep>
static inline MatmulKernels matmul_kernels_over() {
  MatmulKernels kernels{kRows,
                        16 * kVectors,
                        [](const PackRun& r) noexcept { pack_run<V>(r); },
                        {},
                        {},
                        [](const StreamRun& r) noexcept { stream_run<V, kDeep>(r); },
                        [](const TransposedStreamRun& r) noexcept { transposed_stream_run<V>(r); }};
  fill_tiles<V, kRows, kVectors>(kernels);
  return kernels;
}

}  // namespace bitnet::cpu
