// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>

#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8.h"
#include "bitnet/backend/cpu/matmul_op.h"
#include "bitnet/backend/cpu/matmul_pieces.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {
namespace {

// As in matmul_op.cc, with four times the terms in a byte's place.
constexpr std::int64_t kDepth = 2048;
constexpr std::int64_t kColumns = 256;
constexpr std::int64_t kRows = 2016;
constexpr double kAloneWork = 1 << 20;

struct Piece {
  const MatmulArgs& args;
  const std::int8_t *a, *b;
  std::int32_t* out;
  Slice m, n;
};

void run_piece(const Piece& p) {
  const MatmulArgs& args = p.args;
  const MatmulI8Kernels& kernels = active_matmul_i8_kernels();
  const std::int64_t stride = args.out_row / 4;
  if (args.k == 0)
    for (std::int64_t i = p.m.begin; i < p.m.end; ++i)
      std::fill_n(p.out + i * stride + p.n.begin, p.n.size(), 0);
  const std::int64_t most_deep = round_up(std::min(kDepth, args.k), 4);
  const std::int64_t a_bytes = round_up(
      round_up(std::min(kRows, p.m.size()), kernels.rows) * most_deep * kernels.element, 64);
  const std::int64_t b_bytes = round_up(
      round_up(std::min(kColumns, p.n.size()), kernels.columns) * most_deep * kernels.element, 64);
  auto* a = reinterpret_cast<std::int8_t*>(worker_scratch((a_bytes + b_bytes) / 4));
  std::int8_t* b = a + a_bytes;
  alignas(64) std::int32_t correction[kColumns + 64];
  for (std::int64_t i = p.m.begin; i < p.m.end; i += kRows) {
    const std::int64_t rows = std::min(kRows, p.m.end - i);
    for (std::int64_t k = 0; k < args.k; k += kDepth) {
      const std::int64_t terms = std::min(kDepth, args.k - k);
      const std::int64_t deep = round_up(terms, kernels.group);
      for (std::int64_t r = 0; r < rows; r += kernels.rows)
        kernels.pack_a({p.a + (i + r) * args.a_row + k * args.a_col, args.a_row, args.a_col,
                        std::min(kernels.rows, rows - r), terms, kernels.rows,
                        a + r * deep * kernels.element, nullptr});
      for (std::int64_t j = p.n.begin; j < p.n.end; j += kColumns) {
        const std::int64_t columns = std::min(kColumns, p.n.end - j);
        for (std::int64_t c = 0; c < columns; c += kernels.columns)
          kernels.pack_b({p.b + k * args.b_row + (j + c) * args.b_col, args.b_col, args.b_row,
                          std::min(kernels.columns, columns - c), terms, kernels.columns,
                          b + c * deep * kernels.element, correction + c});
        const bool first = k == 0;
        for_tiles(
            rows, kernels.rows, columns, kernels.columns, true, p.out + i * stride + j, stride,
            first, [&](auto row, auto column, auto, std::int32_t* to, auto to_stride) {
              kernels.tile({a + row * deep * kernels.element, b + column * deep * kernels.element,
                            deep, correction + column, to, to_stride, first});
            });
      }
    }
  }
}

}  // namespace

void matmul_i8(const MatmulArgs& args, ThreadPool& pool) {
  const MatmulI8Kernels& kernels = active_matmul_i8_kernels();
  const Cut cut{kernels.rows, kernels.columns, kAloneWork, 0};
  for_products(args, cut, pool, [&](const auto& at, Slice m, Slice n) {
    run_piece({args, reinterpret_cast<const std::int8_t*>(bytes(args.a) + at[1]),
               reinterpret_cast<const std::int8_t*>(bytes(args.b) + at[2]),
               reinterpret_cast<std::int32_t*>(bytes(args.out) + at[0]), m, n});
  });
}

}  // namespace bitnet::cpu
