// SPDX-License-Identifier: MIT OR Apache-2.0
// How a product of matrices is cut: into pieces for the workers, and these into tiles.
#pragma once

#include <algorithm>
#include <cstdint>

#include "bitnet/backend/cpu/strided.h"
#include "bitnet/ops/matmul_args.h"

namespace bitnet::cpu {

/// Rows and columns of the workers' grid.
struct Grid {
  int rows, columns;
};

/// How `workers` share a product of m x n: pieces as square as may be, so that little is packed
/// twice.
inline Grid grid_of(std::int64_t m, std::int64_t n, std::int64_t tile_rows,
                    std::int64_t tile_columns, int workers) noexcept {
  Grid best{1, workers};
  double least = 1e300;
  for (int rows = 1; rows <= workers; ++rows) {
    if (workers % rows != 0) continue;
    const int columns = workers / rows;
    // The largest piece in whole tiles decides the time; what is packed comes on top.
    const double high = double(round_up(ceil_div(m, rows), tile_rows));
    const double wide = double(round_up(ceil_div(n, columns), tile_columns));
    const double cost = high * wide + 16.0 * (high + wide);
    if (cost < least) least = cost, best = {rows, columns};
  }
  return best;
}

/// What the cutting depends on.
struct Cut {
  std::int64_t tile_rows, tile_columns;
  double alone_work;      // products below which the caller does all: some 2 us of one core
  std::int64_t few_rows;  // up to so many are not divided among workers
};

/// Calls piece({out, a, b} offsets of a matrix of the batch, its rows, its columns) for pieces that
/// cover all products, divided over the workers: whole matrices where there are enough of them.
template <class Piece>
void for_products(const MatmulArgs& args, const Cut& cut, ThreadPool& pool, const Piece& piece) {
  const NdLoop<3> loop(args.batch, {args.out.strides, args.a.strides, args.b.strides});
  const std::int64_t batches = loop.elements();
  if (batches == 0 || args.m == 0 || args.n == 0) return;
  const auto whole = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      piece(loop.element(i), Slice{0, args.m}, Slice{0, args.n});
  };
  const double work = double(args.m) * double(args.n) * double(std::max<std::int64_t>(args.k, 1));
  const int workers = work * double(batches) <= cut.alone_work ? 1 : pool.size();
  if (workers == 1) return whole(0, batches);
  if (batches >= 2 * workers) return pool.for_slices(batches, 1, whole);
  const Grid grid = args.m <= cut.few_rows
                        ? Grid{1, workers}
                        : grid_of(args.m, args.n, cut.tile_rows, cut.tile_columns, workers);
  pool.run([&](int worker, int) {
    if (worker >= grid.rows * grid.columns) return;
    const Slice m = slice_of(args.m, worker / grid.columns, grid.rows, cut.tile_rows);
    const Slice n = slice_of(args.n, worker % grid.columns, grid.columns, cut.tile_columns);
    if (m.size() <= 0 || n.size() <= 0) return;
    for (std::int64_t i = 0; i < batches; ++i) piece(loop.element(i), m, n);
  });
}

/// Calls tile(i, j, high, to, to_stride) for the tiles of height x width that cover rows x columns
/// sums; the last of a column has `high` rows. Tiles that would write beyond the sums (always all
/// their columns, and all `height` rows where `whole_height`) go by way of a buffer; unless
/// `first`, they find the sums so far there.
template <class T, class Tile>
void for_tiles(std::int64_t rows, std::int64_t height, std::int64_t columns, std::int64_t width,
               bool whole_height, T* sums, std::int64_t stride, bool first, const Tile& tile) {
  alignas(64) T edge[16 * 64];  // the largest tile is 14 x 32
  for (std::int64_t i = 0; i < rows; i += height)
    for (std::int64_t j = 0; j < columns; j += width) {
      const std::int64_t high = std::min(height, rows - i), wide = std::min(width, columns - j);
      T* to = sums + i * stride + j;
      if (wide == width && (high == height || !whole_height)) {
        tile(i, j, high, to, stride);
        continue;
      }
      if (!first)
        for (std::int64_t r = 0; r < high; ++r)
          std::copy_n(to + r * stride, wide, edge + r * width);
      tile(i, j, high, edge, width);
      for (std::int64_t r = 0; r < high; ++r) std::copy_n(edge + r * width, wide, to + r * stride);
    }
}

}  // namespace bitnet::cpu
