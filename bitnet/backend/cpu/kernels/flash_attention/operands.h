// SPDX-License-Identifier: MIT OR Apache-2.0
// How operands of attention's products are brought into order: rows turned into columns, rows side
// by side, and memory fetched ahead.
#pragma once

#include <cstddef>

#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"

namespace bitnet::cpu {

/// Fetches p[ahead] into the cache; beyond the data it does no harm.
static inline void prefetch(const float* p, std::int64_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) +
                                                   static_cast<std::uintptr_t>(ahead * 4)));
}

namespace {

/// Rows of memory that will be read soon, fetched a cache line at a time, in order.
struct RowsAhead {
  const float* rows;
  std::int64_t stride, columns;
  std::int64_t row;  // the next
  std::int64_t column = 0;

  void fetch() {
    prefetch(rows, row * stride + column);
    column += 16;
    if (column >= columns) column = 0, ++row;
  }
};

struct Nothing {
  void operator()() const {}
  void operator()(std::int64_t) const {}
};

/// Columns c to c + 3 of kRows rows: to[i * width + r] = rows[r][c + i]. turn_avx512.h has another.
template <class V>
struct Turner {
  static constexpr std::int64_t kRows = 4;

  static void turn(const float* const* rows, std::int64_t c, std::int64_t width, float* to) {
    const Quad a = load(rows[0] + c), b = load(rows[1] + c);
    const Quad d = load(rows[2] + c), e = load(rows[3] + c);
    const Quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const Quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const Quad de_low = __builtin_shufflevector(d, e, 0, 4, 1, 5);
    const Quad de_high = __builtin_shufflevector(d, e, 2, 6, 3, 7);
    store(to, __builtin_shufflevector(ab_low, de_low, 0, 1, 4, 5));
    store(to + width, __builtin_shufflevector(ab_low, de_low, 2, 3, 6, 7));
    store(to + 2 * width, __builtin_shufflevector(ab_high, de_high, 0, 1, 4, 5));
    store(to + 3 * width, __builtin_shufflevector(ab_high, de_high, 2, 3, 6, 7));
  }

 private:
  // The compiler has its shuffles for each ISA.
  typedef float Quad __attribute__((vector_size(16)));

  static Quad load(const float* p) {
    Quad q;
    __builtin_memcpy(&q, p, sizeof q);
    return q;
  }
  static void store(float* p, Quad q) { __builtin_memcpy(p, &q, sizeof q); }
};

}  // namespace

/// Rows [r, r + T::kRows) of turn(), but for up to 3 columns; returns how many were done.
template <class T, class Row, class Fetch>
static inline std::int64_t turn_rows(const Row& row, std::int64_t r, std::int64_t width,
                                     std::int64_t columns, float* out, const Fetch& fetch) {
  const float* rows[static_cast<std::size_t>(T::kRows)];
  for (std::int64_t i = 0; i < T::kRows; ++i) rows[i] = row(r + i);
  std::int64_t c = 0;
  for (; c + 4 <= columns; c += 4) {
    for (std::int64_t i = 0; i < T::kRows; i += 4) fetch();
    T::turn(rows, c, width, out + c * width + r);
  }
  return c;
}

/// out[c * width + r] = row(r)[c] for r < rows, 0 for rows <= r < width (a multiple of 4).
/// V: whose Turner takes what rows it can; void: 4 rows at a time.
/// fetch() is called for each 4 rows and columns, a cache line's worth.
template <class V, class Row, class Fetch = Nothing>
static inline void turn(const Row& row, std::int64_t rows, std::int64_t width, std::int64_t columns,
                        float* out, const Fetch& fetch = {}) {
  using Many = Turner<V>;
  using Few = Turner<void>;
  std::int64_t step = 0;
  for (std::int64_t r = 0; r < width; r += step) {
    std::int64_t done = 0;
    step = Few::kRows;
    if (r + Many::kRows <= rows) {
      step = Many::kRows;
      done = turn_rows<Many>(row, r, width, columns, out, fetch);
    } else if (r + Few::kRows <= rows) {
      done = turn_rows<Few>(row, r, width, columns, out, fetch);
    }
    for (std::int64_t i = r; i < r + step; ++i)
      for (std::int64_t c = done; c < columns; ++c)
        out[c * width + i] = i < rows ? row(i)[c] : 0.0f;
  }
}

/// Rows of q or dout as coefficients: out[r / 8][c][r % 8] = row(r)[c].
template <class V, class Row>
static inline void interleave(const Row& row, std::int64_t rows, std::int64_t columns, float* out) {
  for (std::int64_t r = 0; r < rows; r += kFlashTile) {
    const std::int64_t left = rows - r < kFlashTile ? rows - r : kFlashTile;
    turn<V>([&](std::int64_t i) { return row(r + i); }, left, kFlashTile, columns,
            out + r * columns);
  }
}

/// out[r * stride + c] = row(r)[c], zeros behind the columns up to a whole vector.
template <class V, class Row>
static inline void copy_rows(const Row& row, std::int64_t rows, std::int64_t columns, float* out,
                             std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = row(r);
    float* to = out + r * stride;
    std::int64_t c = 0;
    for (; c + 16 <= columns; c += 16) V::load(from + c).store(to + c);
    if (c < columns) V::load_partial(from + c, static_cast<int>(columns - c)).store(to + c);
  }
}

}  // namespace bitnet::cpu
