// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/ternary_lookup_op.h"

#include <algorithm>
#include <vector>

#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/backend/cpu/stream_fetch.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {
namespace {

using namespace lookup_tiles;

// Weights times tokens that one core computes in some 4 us (ternary_linear_op.cc says why).
constexpr std::int64_t kAloneProducts = 1'000'000;
// Tables of all tokens: 384 KB stay in L2. 48 groups are what a kernel adds in 16 bits.
constexpr std::int64_t kTableBytes = 384 * 1024;
constexpr std::int64_t kGroupStep = 48;
static_assert(kTableBytes / (2 * kEntries * kLookupTableTokens) >= kGroupStep);
// Weights are unpacked for so many tokens at once, whose activations stay in L2.
constexpr std::int64_t kGemmBlock = 128;

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

// Calls visit(first strip, end, where the first lies) for the strips of each tile of a piece.
template <class Visit>
void for_tiles(const Piece& piece, std::int64_t count, const Visit& visit) {
  for (std::int64_t strip = piece.begin; strip < piece.end;) {
    const std::int64_t end = std::min((strip / kTileStrips + 1) * kTileStrips, piece.end);
    visit(strip, end, place(strip, piece.part->rows, count));
    strip = end;
  }
}

void add_sums(const Piece& piece, std::int64_t cols, LookupSumsArgs args, std::int64_t first) {
  const std::int64_t count = groups(cols);
  std::int32_t* const sums = args.sums + piece.first_sum;
  for_tiles(piece, count, [&](std::int64_t strip, std::int64_t end, StripPlace at) {
    args.codes = piece.part->tiles + at.offset + first * at.stride;
    args.stride = at.stride;
    args.strips = end - strip;
    args.sums = sums + (strip - piece.begin) * kStripRows;
    const bool last = end == piece.end;
    const StripPlace after = place(last ? piece.begin : end, piece.part->rows, count);
    args.next =
        piece.part->tiles + after.offset + (last ? first + args.count : first) * after.stride;
    kernels().sums(args);
  });
}

void write_results(const TernaryLookupArgs& a, const Piece& piece, const std::int32_t* sums,
                   std::int64_t sums_stride) noexcept {
  const TernaryLookupArgs::Part& part = *piece.part;
  const auto* const negatives =
      reinterpret_cast<const std::int32_t*>(part.tiles + code_bytes(part.rows, a.cols));
  const std::int64_t first = piece.begin * kStripRows;
  const std::int64_t rows = std::min(piece.end * kStripRows, part.rows) - first;
  for (std::int64_t t = 0; t < a.tokens; ++t) {
    const std::int32_t* from = sums + t * sums_stride + piece.first_sum;
    const float scale = part.token_scale[t];
    float* to = part.out + t * part.out_stride + first;
    for (std::int64_t r = 0; r < rows; ++r)
      to[r] = static_cast<float>(from[r] + negatives[first + r]) * scale;
  }
}

// Few tokens: by tables.
void compute(const TernaryLookupArgs& a, Slice strip_slice) {
  const Pieces pieces(a, strip_slice);
  const std::int64_t count = groups(a.cols), places = pair_order_bytes(a.cols);
  const std::int64_t fitting = kTableBytes / (2 * kEntries * a.tokens);
  const std::int64_t chunk = fitting >= count ? count : fitting / kGroupStep * kGroupStep;
  const std::int64_t table_bytes = 2 * kEntries * chunk * a.tokens;
  float* const scratch = worker_scratch(table_bytes / 4 + pieces.rows * a.tokens);
  auto* const tables = reinterpret_cast<std::uint8_t*>(scratch);
  auto* const sums = reinterpret_cast<std::int32_t*>(tables + table_bytes);
  const Piece& piece = pieces.of[0];
  const std::uint8_t* const next =
      piece.part->tiles + place(piece.begin, piece.part->rows, count).offset;
  for (std::int64_t first = 0; first < count; first += chunk) {
    const std::int64_t now = std::min(chunk, count - first);
    for (std::int64_t t = 0; t < a.tokens; ++t)
      kernels().tables({a.activations + t * a.activation_stride, places, count, first, now,
                        tables + 2 * kEntries * now * t, next});
    for (int i = 0; i < pieces.count; ++i)
      add_sums(pieces.of[i], a.cols,
               {nullptr, 0, 0, now, a.tokens, tables, sums, pieces.rows, first > 0, nullptr},
               first);
  }
  for (int i = 0; i < pieces.count; ++i) write_results(a, pieces.of[i], sums, pieces.rows);
}

// One token: tile by tile, each worker's rows one stream.
void compute_one(const TernaryLookupArgs& a, Slice strip_slice) {
  const Pieces pieces(a, strip_slice);
  const std::int64_t count = groups(a.cols), places = pair_order_bytes(a.cols);
  auto* const sums = reinterpret_cast<std::int32_t*>(worker_scratch(pieces.rows));
  const StreamFetch fetch = fetch_trial().next();
  for (int i = 0; i < pieces.count; ++i) {
    const Piece& piece = pieces.of[i];
    const Piece& behind = pieces.of[std::min(i + 1, pieces.count - 1)];
    for_tiles(piece, count, [&](std::int64_t strip, std::int64_t end, StripPlace at) {
      const Piece& of = end < piece.end ? piece : behind;
      const std::int64_t next = end < piece.end ? end : behind.begin;
      kernels().one({a.activations, places, count, piece.part->tiles + at.offset, at.stride,
                     end - strip, sums + piece.first_sum + (strip - piece.begin) * kStripRows,
                     of.part->tiles + place(next, of.part->rows, count).offset, fetch});
    });
    write_results(a, piece, sums, pieces.rows);
  }
}

// Many tokens: strip by strip, so that its weights are unpacked once for all of a block.
void compute_block(const TernaryLookupArgs& a, Slice strip_slice, std::int64_t first_token,
                   std::int64_t tokens) {
  const std::int64_t count = groups(a.cols), places = pair_order_bytes(a.cols);
  const std::int64_t stride = (kDigits * count + 7 + 63) / 64 * 64;
  auto* const scratch = reinterpret_cast<std::byte*>(
      worker_scratch((tokens * stride + kLookupGemmScratch) / 4 + kStripRows * tokens));
  auto* const unpacked = reinterpret_cast<std::uint8_t*>(scratch);
  auto* const sums = reinterpret_cast<std::int32_t*>(scratch + kLookupGemmScratch);
  auto* const q = reinterpret_cast<std::int8_t*>(sums + kStripRows * tokens);
  std::vector<std::int32_t> activation_sums(static_cast<std::size_t>(tokens));
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int8_t* from = a.activations + (first_token + t) * a.activation_stride;
    std::copy_n(from, places, q + t * stride);
    std::fill_n(q + t * stride + places, stride - places, std::int8_t{0});
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < places; ++i) sum += from[i];
    activation_sums[static_cast<std::size_t>(t)] = sum;
  }
  const Pieces pieces(a, strip_slice);
  for (int i = 0; i < pieces.count; ++i)
    for (std::int64_t strip = pieces.of[i].begin; strip < pieces.of[i].end; ++strip) {
      const TernaryLookupArgs::Part& part = *pieces.of[i].part;
      const StripPlace at = place(strip, part.rows, count);
      kernels().gemm({part.tiles + at.offset, at.stride, count, q, stride, tokens, sums, unpacked});
      const std::int64_t first = strip * kStripRows, rows = std::min(kStripRows, part.rows - first);
      for (std::int64_t t = 0; t < tokens; ++t) {
        const std::int32_t over = activation_sums[static_cast<std::size_t>(t)];
        const float scale = part.token_scale[first_token + t];
        float* to = part.out + (first_token + t) * part.out_stride + first;
        for (std::int64_t r = 0; r < rows; ++r)
          to[r] = static_cast<float>(sums[t * kStripRows + r] - over) * scale;
      }
    }
}

void compute_many(const TernaryLookupArgs& a, Slice strip_slice) {
  for (std::int64_t t = 0; t < a.tokens; t += kGemmBlock)
    compute_block(a, strip_slice, t, std::min(kGemmBlock, a.tokens - t));
}

}  // namespace

void ternary_lookup(const TernaryLookupArgs& args, ThreadPool& pool) {
  const Slice all{0, all_strips(args)};
  const auto run = [&](Slice slice) {
    if (args.tokens == 1 && kernels().one) return compute_one(args, slice);
    args.tokens >= kernels().gemm_tokens ? compute_many(args, slice) : compute(args, slice);
  };
  if (all.end * kStripRows * args.cols * args.tokens <= kAloneProducts) return run(all);
  pool.for_slices(all.end, 1, [&](std::int64_t begin, std::int64_t end) { run({begin, end}); });
}

void pack_lookup(const PackLookupArgs& a, ThreadPool& pool) {
  pool.for_slices(strips(a.rows), 1, [&](std::int64_t begin, std::int64_t end) {
    auto* const scratch =
        reinterpret_cast<std::uint8_t*>(worker_scratch(lookup_pack_scratch(a.cols) / 4 + 1));
    kernels().pack({a.weights, a.row_bytes, a.rows, a.cols, begin, end, a.tiles, scratch});
  });
}

}  // namespace bitnet::cpu
