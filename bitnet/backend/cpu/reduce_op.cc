// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/reduce_op.h"

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "bitnet/backend/cpu/kernels/reduce/reduce.h"
#include "bitnet/backend/cpu/strided.h"

namespace bitnet::cpu {
namespace {

// Columns of a block: 16 lanes of the first fit in L1, one lane of the second, with rows long
// enough for the machine's prefetching.
constexpr std::int64_t kNarrow = 512, kWide = 4096;
// Floats that are asked for before they are needed in a row of a wide block: prefetching by the
// machine ends with each page.
constexpr std::int64_t kAheadInRow = 256;

static_assert(kPiece == kReducePiece);

PieceOp piece_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::prod:
      return PieceOp::prod;
    case ReduceOp::max:
    case ReduceOp::argmax:
      return PieceOp::max;
    case ReduceOp::min:
    case ReduceOp::argmin:
      return PieceOp::min;
    case ReduceOp::norm1:
      return PieceOp::sum_abs;
    case ReduceOp::norm2:
      return PieceOp::sum_squares;
    case ReduceOp::variance:
      return PieceOp::sum_centered;
    default:
      return PieceOp::sum;
  }
}

// How the totals of pieces are put together.
PieceOp total_op(PieceOp op) {
  return op == PieceOp::prod || op == PieceOp::max || op == PieceOp::min ? op : PieceOp::sum;
}

float finish(const ReduceArgs& args, float total) {
  const auto n = static_cast<float>(args.count);
  switch (args.op) {
    case ReduceOp::mean:
      return total / n;
    case ReduceOp::norm2:
      return std::sqrt(total);
    case ReduceOp::variance:
      return total / static_cast<float>(static_cast<double>(args.count) - args.correction);
    default:
      return total;
  }
}

void write(const ReduceArgs& args, const PointwiseKernels& kernels, std::byte* to,
           std::int64_t step, const float* values, std::int64_t count) {
  float buffer[kPiece];
  const FloatSink sink(args.out.dtype, to, step, buffer);
  std::memcpy(sink.data, values, static_cast<std::size_t>(count) * sizeof(float));
  sink.finish(kernels, count);
}

// totals[count] to one number, in place.
float reduce_totals(const ReduceKernels& kernels, PieceOp op, float* totals, std::int64_t count) {
  while (count > 1) {
    std::int64_t kept = 0;
    for (std::int64_t k = 0; k < count; k += kReducePiece)
      totals[kept++] =
          kernels.piece({totals + k, std::min(kReducePiece, count - k), total_op(op), 0.0f});
    count = kept;
  }
  return totals[0];
}

// What the paths below share.
struct Reduction {
  const ReduceArgs& args;
  ThreadPool& pool;
  NdLoop<2> loop;  // over the kept axes: out, x
  std::int64_t kept, pieces;
  const PointwiseKernels& pointwise = active_pointwise_kernels();
  const ReduceKernels& kernels = active_reduce_kernels();

  Reduction(const ReduceArgs& a, ThreadPool& p)
      : args(a),
        pool(p),
        loop(a.kept, {a.out.strides, a.x.strides}),
        kept(loop.elements()),
        pieces(ceil_div(a.count, kReducePiece)) {}

  // Piece `index` of the elements behind `x` as floats.
  FloatPiece piece(const std::byte* x, std::int64_t index, float* buffer) const {
    return {pointwise, args.x.dtype,       x + index * kReducePiece * args.step,
            args.step, piece_count(index), buffer};
  }
  std::int64_t piece_count(std::int64_t index) const {
    return std::min(kReducePiece, args.count - index * kReducePiece);
  }
  float piece_total(const std::byte* x, std::int64_t index, PieceOp op, float center) const {
    alignas(64) float buffer[kPiece];
    FloatPiece p = piece(x, index, buffer);
    const std::int64_t count = piece_count(index);
    if (p.step == 0) {
      std::fill_n(buffer, count, *p.data);
      p.data = buffer;
    }
    return kernels.piece({p.data, count, op, center});
  }
};

// Row i, where total(x, op, center) puts the totals of its pieces together.
template <class Total>
void one_row(const Reduction& r, std::int64_t i, const Total& total) {
  const auto at = r.loop.element(i);
  const std::byte* x = bytes(r.args.x) + at[1];
  float center = 0.0f;
  if (r.args.op == ReduceOp::variance)
    center = total(x, PieceOp::sum, 0.0f) / static_cast<float>(r.args.count);
  const float y = finish(r.args, total(x, piece_op(r.args.op), center));
  write(r.args, r.pointwise, bytes(r.args.out) + at[0], 0, &y, 1);
}

// Each worker reduces whole rows.
void whole_rows(const Reduction& r) {
  for_rows(r.pool, r.kept, r.args.count, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> totals(static_cast<std::size_t>(r.pieces));
    for (std::int64_t i = begin; i < end; ++i)
      one_row(r, i, [&](const std::byte* x, PieceOp op, float center) {
        for (std::int64_t p = 0; p < r.pieces; ++p)
          totals[static_cast<std::size_t>(p)] = r.piece_total(x, p, op, center);
        return reduce_totals(r.kernels, op, totals.data(), r.pieces);
      });
  });
}

// Few rows: the pieces of each are divided over the workers.
void divided_rows(const Reduction& r) {
  std::vector<float> totals(static_cast<std::size_t>(r.pieces));
  for (std::int64_t i = 0; i < r.kept; ++i)
    one_row(r, i, [&](const std::byte* x, PieceOp op, float center) {
      for_rows(r.pool, r.pieces, kReducePiece, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t p = begin; p < end; ++p)
          totals[static_cast<std::size_t>(p)] = r.piece_total(x, p, op, center);
      });
      return reduce_totals(r.kernels, op, totals.data(), r.pieces);
    });
}

// Columns that lie side by side: rows are added to 16 rows of lanes, then these to one.
// x[row][column] at x + row * row_step, columns `count` elements one behind the other.
struct Columns {
  const Reduction& r;
  DType dtype;
  std::int64_t row_step;

  // Rows [first, first + rows) of `count` columns to one row of totals. lanes: [16][count].
  void piece(const std::byte* x, std::int64_t first, std::int64_t rows, std::int64_t count,
             PieceOp op, const float* center, float* lanes, float* totals) const {
    alignas(64) float buffer[kPiece];
    const std::int64_t used = std::min<std::int64_t>(rows, 16);
    const std::int64_t whole =
        dtype == DType::f32 ? fours(x + first * row_step, rows, count, op, center, lanes) : 0;
    // Rows of a large matrix lie pages apart, where the machine's own prefetching does not follow.
    constexpr std::int64_t kAhead = 4, kLine = 64;
    for (std::int64_t row = whole; row < rows; ++row) {
      if (row + kAhead < rows)
        for (std::int64_t b = 0; b < count * info(dtype).block_bytes; b += kLine)
          __builtin_prefetch(x + (first + row + kAhead) * row_step + b);
      const std::byte* from = x + (first + row) * row_step;
      float* lane = lanes + row % 16 * count;
      if (dtype == DType::f32) {
        add_row(reinterpret_cast<const float*>(from), row, count, op, center, lane);
      } else {
        const FloatPiece p(r.pointwise, dtype, from, info(dtype).block_bytes, count, buffer);
        add_row(p.data, row, count, op, center, lane);
      }
    }
    for (std::int64_t width = 8; width > 0; width /= 2)
      for (std::int64_t l = 0; l < width; ++l) {
        if (l >= used) std::fill_n(lanes + l * count, count, identity(op));
        if (l + width < used || starts_from_identity(op)) {
          if (l + width >= used) std::fill_n(lanes + (l + width) * count, count, identity(op));
          r.kernels.columns(
              {lanes + (l + width) * count, nullptr, lanes + l * count, count, total_op(op)});
        }
      }
    std::memcpy(totals, lanes, static_cast<std::size_t>(count) * sizeof(float));
  }

  void add_row(const float* x, std::int64_t row, std::int64_t count, PieceOp op,
               const float* center, float* lane) const {
    if (row < 16) start(lane, x, count, op);
    if (row >= 16 || starts_from_identity(op)) r.kernels.columns({x, center, lane, count, op});
  }

  // Rows of floats, four of each lane at a time; returns how many it took. Narrow blocks are read
  // in the order of rows, wide ones lane by lane.
  std::int64_t fours(const std::byte* x, std::int64_t rows, std::int64_t count, PieceOp op,
                     const float* center, float* lanes) const {
    constexpr std::int64_t kTaken = 16 * kLaneRows;
    const std::int64_t whole = rows / kTaken * kTaken, step = row_step / 4;
    // Columns [begin, end) of four rows of lane l from `row` on; the next are `ahead` floats on.
    const auto take = [&](std::int64_t row, std::int64_t l, std::int64_t begin, std::int64_t end,
                          std::int64_t ahead) {
      const auto* from = reinterpret_cast<const float*>(x + (row + l) * row_step) + begin;
      float* lane = lanes + l * count + begin;
      if (row == 0) start(lane, from, end - begin, op);
      r.kernels.columns({from, center ? center + begin : nullptr, lane, end - begin, op, kLaneRows,
                         16 * step, ahead});
    };
    if (count > kNarrow) {
      const std::int64_t turn = count - kAheadInRow;
      for (std::int64_t l = 0; l < 16; ++l)
        for (std::int64_t row = 0; row < whole; row += kTaken) {
          take(row, l, 0, turn, kAheadInRow);
          take(row, l, turn, count, kTaken * step - turn);
        }
      return whole;
    }
    for (std::int64_t row = 0; row < whole; row += kTaken)
      for (std::int64_t l = 0; l < 16; ++l)
        // The next lane's rows; behind the last lane those of the next 64.
        take(row, l, 0, count, l < 15 ? step : (kTaken - 15) * step);
    return whole;
  }

  static bool starts_from_identity(PieceOp op) { return op != PieceOp::max && op != PieceOp::min; }
  static float identity(PieceOp op) { return op == PieceOp::prod ? 1.0f : 0.0f; }
  static void start(float* lane, const float* x, std::int64_t count, PieceOp op) {
    if (starts_from_identity(op))
      std::fill_n(lane, count, identity(op));
    else
      std::memcpy(lane, x, static_cast<std::size_t>(count) * sizeof(float));
  }
};

// All columns of one run of the kept axes, `width` of them from x on, to totals[width]; the pieces
// of rows and the blocks of columns are divided over the workers.
void reduce_columns(const Reduction& r, const std::byte* x, std::int64_t width, PieceOp op,
                    const float* center, std::vector<float>& totals) {
  const auto uwidth = static_cast<std::size_t>(width);
  Columns columns{r, r.args.x.dtype, r.args.step};
  std::int64_t rows = r.args.count;
  std::vector<float> next;
  for (;;) {
    const std::int64_t pieces = ceil_div(rows, kReducePiece);
    // As wide as leaves each worker two blocks; halves are converted by pieces.
    const std::int64_t share = round_up(ceil_div(width * pieces, 2 * r.pool.size()), 16);
    const std::int64_t most =
        columns.dtype == DType::f32 ? std::clamp(share, kNarrow, kWide) : kNarrow;
    const std::int64_t block = std::min(most, width), blocks = ceil_div(width, block);
    next.resize(static_cast<std::size_t>(pieces) * uwidth);
    const std::int64_t element = info(columns.dtype).block_bytes;
    for_rows(r.pool, pieces * blocks, std::min(rows, kReducePiece) * block,
             [&](std::int64_t begin, std::int64_t end) {
               const auto lanes =
                   std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(16 * block));
               for (std::int64_t i = begin; i < end; ++i) {
                 const std::int64_t p = i / blocks, c = i % blocks * block;
                 const std::int64_t first = p * kReducePiece;
                 columns.piece(x + c * element, first, std::min(kReducePiece, rows - first),
                               std::min(block, width - c), op, center ? center + c : nullptr,
                               lanes.get(), next.data() + p * width + c);
               }
             });
    totals.swap(next);
    if (pieces == 1) return;
    x = reinterpret_cast<const std::byte*>(totals.data());
    columns.dtype = DType::f32;
    columns.row_step = width * 4;
    rows = pieces;
    op = total_op(op);
    center = nullptr;
  }
}

void by_columns(const Reduction& r) {
  std::vector<float> totals, center;
  for (std::int64_t run = 0; run < r.loop.runs; ++run) {
    const auto at = r.loop.offsets(run);
    const std::byte* x = bytes(r.args.x) + at[1];
    const std::int64_t width = r.loop.count;
    if (r.args.op == ReduceOp::variance) {
      reduce_columns(r, x, width, PieceOp::sum, nullptr, center);
      for (float& c : center) c /= static_cast<float>(r.args.count);
    }
    reduce_columns(r, x, width, piece_op(r.args.op), center.empty() ? nullptr : center.data(),
                   totals);
    for (std::int64_t c = 0; c < width; c += kPiece) {
      const std::int64_t count = std::min(kPiece, width - c);
      for (std::int64_t i = c; i < c + count; ++i)
        totals[static_cast<std::size_t>(i)] = finish(r.args, totals[static_cast<std::size_t>(i)]);
      write(r.args, r.pointwise, bytes(r.args.out) + at[0] + c * r.loop.step[0], r.loop.step[0],
            totals.data() + c, count);
    }
  }
}

// The first place of the extreme: the pieces' extremes first, then a look at the pieces that had
// it.
void places(const Reduction& r) {
  const PieceOp op = piece_op(r.args.op);
  const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for_rows(r.pool, r.kept, r.args.count, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto at = r.loop.element(i);
      const std::byte* x = bytes(r.args.x) + at[1];
      float best = 0.0f;
      std::int64_t in_piece = 0;
      for (std::int64_t p = 0; p < r.pieces; ++p) {
        const float here = r.piece_total(x, p, op, 0.0f);
        const bool better = op == PieceOp::max ? here > best : here < best;
        if (p == 0 || (!std::isnan(best) && (better || std::isnan(here))))
          best = here, in_piece = p;
      }
      alignas(64) float buffer[kPiece];
      const FloatPiece piece = r.piece(x, in_piece, buffer);
      std::int64_t k = 0;
      while (!same(piece.data[k * piece.step], best)) ++k;
      const std::int64_t index = in_piece * kReducePiece + k;
      std::memcpy(bytes(r.args.out) + at[0], &index, sizeof index);
    }
  });
}

void of_nothing(const Reduction& r) {
  const bool no_number = r.args.op == ReduceOp::mean || r.args.op == ReduceOp::variance;
  const float y = r.args.op == ReduceOp::prod ? 1.0f
                  : no_number                 ? std::numeric_limits<float>::quiet_NaN()
                                              : 0.0f;
  for (std::int64_t i = 0; i < r.kept; ++i)
    write(r.args, r.pointwise, bytes(r.args.out) + r.loop.element(i)[0], 0, &y, 1);
}

}  // namespace

void reduce(const ReduceArgs& args, ThreadPool& pool) {
  if (!is_float(args.x.dtype)) return plain_reduce(args, pool);
  const Reduction r(args, pool);
  const std::int64_t element = info(args.x.dtype).block_bytes;
  if (args.count == 0) return of_nothing(r);
  if (args.op == ReduceOp::argmax || args.op == ReduceOp::argmin) return places(r);
  if (args.step != element && args.count > 1 && r.loop.step[1] == element && r.loop.count > 4)
    return by_columns(r);
  if (r.pieces > 1 && r.kept < 2 * pool.size()) return divided_rows(r);
  whole_rows(r);
}

}  // namespace bitnet::cpu
