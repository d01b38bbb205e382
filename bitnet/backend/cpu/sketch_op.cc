// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::cpu {

void sketch(const SketchArgs& args, ThreadPool& pool) {
  static const auto run = choose(sketch_kernels(), isa::active()).run;
  pool.for_slices(args.rows, sketch_tiles::kRows, [&](std::int64_t begin, std::int64_t end) {
    SketchArgs part = args;
    part.weights = static_cast<const std::uint8_t*>(args.weights) + begin * args.row_bytes;
    part.out += begin / sketch_tiles::kRows * sketch_tiles::strip_bytes(args.cols);
    part.squares += 3 * begin;
    part.rows = end - begin;
    run(part);
  });
}

void sketch_dot(const SketchDotArgs& args, ThreadPool& pool) {
  static const auto run = choose(sketch_dot_kernels(), isa::active()).run;
  pool.for_slices(args.rows, sketch_tiles::kRows, [&](std::int64_t begin, std::int64_t end) {
    SketchDotArgs part = args;
    part.sketch += begin / sketch_tiles::kRows * args.pairs * sketch_tiles::kTileBytes;
    part.out += begin;
    part.rows = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
