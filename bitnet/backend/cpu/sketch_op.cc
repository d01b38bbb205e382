// SPDX-License-Identifier: MIT OR Apache-2.0
#include <chrono>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/backend/cpu/stream_fetch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::cpu {

void sketch(const SketchArgs& args, ThreadPool& pool) {
  static const auto run = choose(sketch_kernels(), isa::active()).run;
  pool.for_slices(args.rows, sketch_tiles::kRows, [&](std::int64_t begin, std::int64_t end) {
    SketchArgs part = args;
    part.weights = static_cast<const std::uint8_t*>(args.weights) + begin * args.row_bytes;
    part.out += begin / sketch_tiles::kRows * sketch_tiles::strip_bytes(args.cols);
    part.last += begin * sketch_tiles::last_row_bytes(args.cols);
    part.squares += SketchArgs::kSums * begin;
    part.rows = end - begin;
    run(part);
  });
}

void sketch_dot(const SketchDotArgs& args, ThreadPool& pool) {
  static const auto run = choose(sketch_dot_kernels(), isa::active()).run;
  FetchTrial& trial = fetch_trial();
  const bool measured = args.tokens == 1 && !trial.found();
  const StreamFetch fetch = trial.next();
  const auto begin_time = std::chrono::steady_clock::now();
  pool.for_slices(args.rows, sketch_tiles::kRows, [&](std::int64_t begin, std::int64_t end) {
    SketchDotArgs part = args;
    part.sketch += begin / sketch_tiles::kRows * args.pairs * sketch_tiles::kTileBytes;
    part.out += begin;
    part.rows = end - begin;
    part.fetch = fetch;
    run(part);
  });
  if (!measured) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_time;
  const std::int64_t bytes =
      sketch_tiles::bytes(args.rows, args.pairs * sketch_tiles::kPairColumns);
  trial.took(fetch, static_cast<std::size_t>(bytes), took.count());
}

void sketch_refine(const SketchRefineArgs& args, ThreadPool& pool) {
  static const auto run = choose(sketch_refine_kernels(), isa::active()).run;
  // 0.1 us a place: fewer are done sooner than another worker begins.
  constexpr std::int64_t kPlaces = 32;
  pool.for_slices(args.count, kPlaces, [&](std::int64_t begin, std::int64_t end) {
    SketchRefineArgs part = args;
    part.places += begin;
    part.count = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
