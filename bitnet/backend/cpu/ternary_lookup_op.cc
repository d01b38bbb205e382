// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/ternary_lookup_op.h"

#include <algorithm>

#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {
namespace {

using namespace lookup_tiles;

// Weights times tokens that one core computes in some 4 us (ternary_linear_op.cc says why).
constexpr std::int64_t kAloneProducts = 1'000'000;
// Tokens whose sums a worker keeps at once, and the tables of a part of their columns: 384 KB stay
// in L2. 48 groups are what a kernel adds in 16 bits.
constexpr std::int64_t kBlockTokens = 32;
constexpr std::int64_t kTableBytes = 384 * 1024;
constexpr std::int64_t kGroupStep = 48;
// From so many tokens a worker on, workers divide tokens: each makes its own tables only.
constexpr std::int64_t kWorkerTokens = 16;

const TernaryLookupFns& kernels() {
  static const TernaryLookupFns& chosen = *choose(ternary_lookup_kernels(), isa::active()).run;
  return chosen;
}

std::int64_t all_strips(const TernaryLookupArgs& a) noexcept {
  std::int64_t sum = 0;
  for (int i = 0; i < a.num_parts; ++i) sum += strips(a.parts[i].rows);
  return sum;
}

// A part's strips [begin, end), whose sums begin at row `first_sum` of those of the worker.
struct Piece {
  const TernaryLookupArgs::Part* part;
  std::int64_t begin, end, first_sum;
};

// What a worker does: strips [begin, end) of all parts in a row.
struct Pieces {
  Piece of[TernaryLookupArgs::kMaxParts];
  int count = 0;
  std::int64_t rows = 0;

  Pieces(const TernaryLookupArgs& a, Slice slice) noexcept {
    std::int64_t first = 0;
    for (int i = 0; i < a.num_parts; ++i) {
      const std::int64_t here = strips(a.parts[i].rows);
      const std::int64_t begin = std::max(slice.begin - first, std::int64_t{0});
      const std::int64_t end = std::min(slice.end - first, here);
      if (begin < end) {
        of[count++] = {&a.parts[i], begin, end, rows};
        rows += (end - begin) * kStripRows;
      }
      first += here;
    }
  }
};

// Tokens of a block, and how many groups' tables are made at once.
struct Block {
  std::int64_t first_token, tokens, chunk;
  Block(std::int64_t first, std::int64_t end, std::int64_t groups) noexcept
      : first_token(first), tokens(std::min(kBlockTokens, end - first)) {
    const std::int64_t fitting = kTableBytes / (2 * kEntries * tokens);
    chunk = fitting >= groups ? groups : fitting / kGroupStep * kGroupStep;
  }
};

void add_sums(const Piece& piece, std::int64_t cols, LookupSumsArgs args, std::int64_t first) {
  const std::int64_t count = groups(cols);
  std::int32_t* const sums = args.sums + piece.first_sum;
  for (std::int64_t strip = piece.begin; strip < piece.end;) {
    const std::int64_t tile_end = std::min((strip / kTileStrips + 1) * kTileStrips, piece.end);
    const StripPlace at = place(strip, piece.part->rows, count);
    args.codes = piece.part->tiles + at.offset + first * at.stride;
    args.stride = at.stride;
    args.strips = tile_end - strip;
    args.sums = sums + (strip - piece.begin) * kStripRows;
    kernels().sums(args);
    strip = tile_end;
  }
}

void write_results(const TernaryLookupArgs& a, const Piece& piece, const Block& block,
                   const std::int32_t* sums, std::int64_t sums_stride) noexcept {
  const TernaryLookupArgs::Part& part = *piece.part;
  const auto* const negatives =
      reinterpret_cast<const std::int32_t*>(part.tiles + code_bytes(part.rows, a.cols));
  const std::int64_t first = piece.begin * kStripRows;
  const std::int64_t rows = std::min(piece.end * kStripRows, part.rows) - first;
  for (std::int64_t t = 0; t < block.tokens; ++t) {
    const std::int32_t* from = sums + t * sums_stride + piece.first_sum;
    const float scale = part.token_scale[block.first_token + t];
    float* to = part.out + (block.first_token + t) * part.out_stride + first;
    for (std::int64_t r = 0; r < rows; ++r)
      to[r] = static_cast<float>(from[r] + negatives[first + r]) * scale;
  }
}

void compute(const TernaryLookupArgs& a, Slice strip_slice, Slice token_slice) {
  const Pieces pieces(a, strip_slice);
  if (pieces.rows == 0) return;
  const std::int64_t count = groups(a.cols), places = pair_order_bytes(a.cols);
  for (std::int64_t token = token_slice.begin; token < token_slice.end; token += kBlockTokens) {
    const Block block(token, token_slice.end, count);
    const std::int64_t table_bytes = 2 * kEntries * block.chunk * block.tokens;
    float* const scratch = worker_scratch(table_bytes / 4 + pieces.rows * block.tokens);
    auto* const tables = reinterpret_cast<std::uint8_t*>(scratch);
    auto* const sums = reinterpret_cast<std::int32_t*>(tables + table_bytes);
    for (std::int64_t first = 0; first < count; first += block.chunk) {
      const std::int64_t now = std::min(block.chunk, count - first);
      for (std::int64_t t = 0; t < block.tokens; ++t)
        kernels().tables({a.activations + (token + t) * a.activation_stride, places, count, first,
                          now, tables + 2 * kEntries * now * t});
      for (int i = 0; i < pieces.count; ++i)
        add_sums(pieces.of[i], a.cols,
                 {nullptr, 0, 0, now, block.tokens, tables, sums, pieces.rows, first > 0}, first);
    }
    for (int i = 0; i < pieces.count; ++i) write_results(a, pieces.of[i], block, sums, pieces.rows);
  }
}

}  // namespace

void ternary_lookup(const TernaryLookupArgs& args, ThreadPool& pool) {
  const std::int64_t total = all_strips(args);
  const Slice strip_slice{0, total}, token_slice{0, args.tokens};
  if (total * kStripRows * args.cols * args.tokens <= kAloneProducts || pool.size() == 1)
    return compute(args, strip_slice, token_slice);
  pool.run([&](int worker, int count) {
    if (args.tokens >= kWorkerTokens * count)
      compute(args, strip_slice, slice_of(args.tokens, worker, count, 2));
    else
      compute(args, slice_of(total, worker, count), token_slice);
  });
}

void pack_lookup(const PackLookupArgs& a, ThreadPool& pool) {
  pool.for_slices(strips(a.rows), 1, [&](std::int64_t begin, std::int64_t end) {
    auto* const scratch =
        reinterpret_cast<std::uint8_t*>(worker_scratch(lookup_pack_scratch(a.cols) / 4 + 1));
    kernels().pack({a.weights, a.row_bytes, a.rows, a.cols, begin, end, a.tiles, scratch});
  });
}

}  // namespace bitnet::cpu
