// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/matmul_op.h"

#include <algorithm>
#include <cstring>

#include "bitnet/backend/cpu/kernels/matmul/matmul.h"
#include "bitnet/backend/cpu/matmul_pieces.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {
namespace {

static_assert(kMatmulChain == kMatmulBlock);

// Depth of a panel: 1024 with 128 columns are 512 KB, half of the second-level cache; panels of a
// are 56 KB and come from there too. The result is read and written once for each depth: 512 x 256
// was 3 % slower.
constexpr std::int64_t kDepth = 4 * kMatmulBlock;
constexpr std::int64_t kColumns = 128;
constexpr std::int64_t kRows = 2016;  // packed at once: 8 MB; a multiple of 4, 6 and 14
constexpr std::int64_t kFewRows = 4;  // not packed: b is read once in any case
// Up to so many rows a panel of b does not pay what it costs to pack: rows of floats are read where
// they lie, a chain deep and a tile wide at a time (32 KB), the next while this one is used.
constexpr std::int64_t kLooseRows = 256;
// Up to so many rows a transposed b is packed a tile wide and this deep (320 KB): long stretches of
// its rows, which come from memory as they are packed.
constexpr std::int64_t kSlimRows = 128, kSlimDepth = 10 * kMatmulBlock;
constexpr double kAloneWork = 1 << 18;  // products: some 2 us of one core

// Rows `m` and columns `n` of one matrix of the batch.
struct Piece {
  const MatmulArgs& args;
  const MatmulKernels& kernels;
  const unsigned char *a, *b;
  std::byte* out;
  Slice m, n;

  const unsigned char* a_at(std::int64_t i, std::int64_t k) const {
    return a + i * args.a_row + k * args.a_col;
  }
  const unsigned char* b_at(std::int64_t k, std::int64_t j) const {
    return b + k * args.b_row + j * args.b_col;
  }
  std::byte* out_at(std::int64_t i, std::int64_t j) const {
    return out + i * args.out_row + j * info(args.out.dtype).block_bytes;
  }
};

// bias, activation and the result's type, of `count` sums of one row from column j on; `sums`
// changes.
void finish_row(const Piece& p, std::int64_t i, std::int64_t j, std::int64_t count, float* sums) {
  const PointwiseKernels& k = active_pointwise_kernels();
  const MatmulArgs& args = p.args;
  if (args.bias) k.binary({sums, args.bias + j, 1, 1, sums, count, BinaryOp::add, 0, 0});
  if (args.activation != MatmulActivation::none)
    k.unary({sums, sums, count,
             args.activation == MatmulActivation::relu ? UnaryOp::relu : UnaryOp::relu2, 0, 0});
  std::byte* out = p.out_at(i, j);
  if (args.out.dtype != DType::f32)
    k.convert({sums, out, count, DType::f32, args.out.dtype});
  else if (reinterpret_cast<float*>(out) != sums)
    std::memcpy(out, sums, static_cast<std::size_t>(count) * sizeof(float));
}

bool needs_finish(const MatmulArgs& args) {
  return args.bias || args.activation != MatmulActivation::none || args.out.dtype != DType::f32;
}

// a[i][0..k) of a few rows as floats.
const float* rows_of_a(const Piece& p, std::int64_t rows, float* buffer) {
  const MatmulArgs& args = p.args;
  for (std::int64_t i = 0; i < rows; ++i)
    p.kernels.pack({p.a_at(p.m.begin + i, 0), args.a.dtype, args.a_col, args.a_row, args.k, 1,
                    args.k, buffer + i * args.k});
  return buffer;
}

// Few rows: b is streamed, its rows in groups (or 16 of its columns at a time where it lies
// transposed), sums of a block apart from the total.
void stream_piece(const Piece& p) {
  const MatmulArgs& args = p.args;
  const std::int64_t rows = p.m.size(), columns = round_up(p.n.size(), 16);
  const std::int64_t element = info(args.b.dtype).block_bytes;
  float* scratch = worker_scratch(rows * (args.k + 16 + 2 * columns) + 16);
  const float* a = rows_of_a(p, rows, scratch);
  float* part = scratch + rows * args.k + 16;
  float* total = part + rows * columns;
  std::fill_n(total, rows * columns, 0.0f);
  for (std::int64_t k = 0; k < args.k; k += kMatmulBlock) {
    const std::int64_t deep = std::min(kMatmulBlock, args.k - k);
    std::fill_n(part, rows * columns, 0.0f);
    if (args.b_col == element) {
      p.kernels.stream({a + k, args.k, p.b_at(k, p.n.begin), args.b.dtype, args.b_row, rows,
                        p.n.size(), deep, part, columns});
    } else {
      for (std::int64_t j = 0; j < p.n.size(); j += 16) {
        float sums[kFewRows * 16] = {};
        p.kernels.transposed_stream({a + k, args.k, p.b_at(k, p.n.begin + j), args.b.dtype,
                                     args.b_col, rows, std::min<std::int64_t>(16, p.n.size() - j),
                                     deep, sums});
        for (std::int64_t i = 0; i < rows; ++i)
          std::copy_n(sums + 16 * i, 16, part + i * columns + j);
      }
    }
    const PointwiseKernels& pointwise = active_pointwise_kernels();
    if (k == 0)
      std::swap(part, total);
    else
      pointwise.binary({total, part, 1, 1, total, rows * columns, BinaryOp::add, 0, 0});
  }
  for (std::int64_t i = 0; i < rows; ++i)
    finish_row(p, p.m.begin + i, p.n.begin, p.n.size(), total + i * columns);
}

// Panels of a: whole ones of `height` rows, then one of what is left, as high as its rows.
void pack_rows(const Piece& p, std::int64_t i, std::int64_t k, std::int64_t rows,
               std::int64_t height, std::int64_t deep, float* panels) {
  const MatmulArgs& args = p.args;
  const std::int64_t whole = rows / height * height;
  p.kernels.pack({p.a_at(i, k), args.a.dtype, args.a_row, args.a_col, whole, deep, height, panels});
  if (whole < rows)
    p.kernels.pack({p.a_at(i + whole, k), args.a.dtype, args.a_row, args.a_col, rows - whole, deep,
                    rows - whole, panels + whole * deep});
}

// How packed_piece() goes through b.
struct Blocks {
  std::int64_t depth, columns;  // packed at once
  bool loose;                   // whole tiles of columns are not packed
};

Blocks blocks_of(const Piece& p) {
  const bool rows_of_floats = p.args.b.dtype == DType::f32 && p.args.b_col == 4;
  if (rows_of_floats && p.m.size() <= kLooseRows) return {kMatmulBlock, p.kernels.columns, true};
  const bool transposed = p.args.b_col != info(p.args.b.dtype).block_bytes;
  if (transposed && p.m.size() <= kSlimRows) return {kSlimDepth, p.kernels.columns, false};
  return {kDepth, kColumns, false};
}

// Sums of rows x columns of b's `deep` rows from (k, j) on, packed to `panels` or where they lie.
void add_block(const Piece& p, const Blocks& blocks, const float* a, std::int64_t rows,
               std::int64_t height, std::int64_t k, std::int64_t deep, Slice j, float* panels,
               float* sums, std::int64_t stride) {
  const MatmulKernels& kernels = p.kernels;
  const bool loose = blocks.loose && j.size() == kernels.columns;
  if (!loose)
    kernels.pack({p.b_at(k, j.begin), p.args.b.dtype, p.args.b_col, p.args.b_row, j.size(), deep,
                  kernels.columns, panels});
  const float* b = loose ? reinterpret_cast<const float*>(p.b_at(k, j.begin)) : panels;
  const bool first = k == 0;
  for_tiles(rows, height, j.size(), kernels.columns, false, sums, stride, first,
            [&](auto row, auto column, auto high, float* to, auto to_stride) {
              TileRun run{a + row * deep, b + column * deep, deep, to, to_stride, first};
              if (!loose) return kernels.tile[high](run);
              run.b_step = p.args.b_row / 4;
              run.ahead = row == 0 ? kernels.columns : 0;
              kernels.loose_tile[high](run);
            });
}

void packed_piece(const Piece& p) {
  const MatmulArgs& args = p.args;
  const MatmulKernels& kernels = p.kernels;
  const Blocks blocks = blocks_of(p);
  const std::int64_t deepest = std::min(blocks.depth, args.k);
  const std::int64_t most_rows = std::min(kRows, p.m.size());
  const std::int64_t most_columns = round_up(std::min(blocks.columns, p.n.size()), kernels.columns);
  // Sums that cannot stay in `out` until they are finished have a block of their own.
  const bool apart = args.out.dtype != DType::f32;
  const std::int64_t a_floats = most_rows * deepest + 16, b_floats = most_columns * deepest + 16;
  const std::int64_t sum_floats = apart ? most_rows * p.n.size() : 0;
  float* a = worker_scratch(a_floats + b_floats + sum_floats);
  float* b = a + a_floats;
  float* own = b + b_floats;
  for (std::int64_t i = p.m.begin; i < p.m.end; i += kRows) {
    const std::int64_t rows = std::min(kRows, p.m.end - i);
    // Tiles of about the same height: 16 rows are two of 8, not one of 14 and one of 2.
    const std::int64_t height = ceil_div(rows, ceil_div(rows, kernels.rows));
    float* sums = apart ? own : reinterpret_cast<float*>(p.out_at(i, p.n.begin));
    const std::int64_t stride = apart ? p.n.size() : args.out_row / 4;
    for (std::int64_t k = 0; k < args.k; k += blocks.depth) {
      const std::int64_t deep = std::min(blocks.depth, args.k - k);
      pack_rows(p, i, k, rows, height, deep, a);
      for (std::int64_t j = p.n.begin; j < p.n.end; j += blocks.columns)
        add_block(p, blocks, a, rows, height, k, deep, {j, std::min(j + blocks.columns, p.n.end)},
                  b, sums + (j - p.n.begin), stride);
    }
    if (!needs_finish(args)) continue;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < p.n.size(); j += kPiece)
        finish_row(p, i + r, p.n.begin + j, std::min(kPiece, p.n.size() - j),
                   sums + r * stride + j);
  }
}

void empty_sum(const Piece& p) {
  float zeros[kPiece];
  for (std::int64_t i = p.m.begin; i < p.m.end; ++i)
    for (std::int64_t j = p.n.begin; j < p.n.end; j += kPiece) {
      const std::int64_t count = std::min(kPiece, p.n.end - j);
      std::fill_n(zeros, count, 0.0f);
      finish_row(p, i, j, count, zeros);
    }
}

void run_piece(const Piece& p) {
  if (p.args.k == 0)
    empty_sum(p);
  else if (p.m.size() <= kFewRows)
    stream_piece(p);
  else
    packed_piece(p);
}

}  // namespace

void matmul(const MatmulArgs& args, ThreadPool& pool) {
  if (args.a.dtype == DType::i8) return matmul_i8(args, pool);
  const MatmulKernels& kernels = active_matmul_kernels();
  const Cut cut{kernels.rows, kernels.columns, kAloneWork, kFewRows};
  for_products(args, cut, pool, [&](const auto& at, Slice m, Slice n) {
    run_piece({args, kernels, reinterpret_cast<const unsigned char*>(bytes(args.a) + at[1]),
               reinterpret_cast<const unsigned char*>(bytes(args.b) + at[2]),
               bytes(args.out) + at[0], m, n});
  });
}

}  // namespace bitnet::cpu
