// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void sketch(const SketchArgs& args, ThreadPool& pool) {
  static const auto run = choose(sketch_kernels(), isa::active()).run;
  for_rows(pool, args.rows, args.cols, [&](std::int64_t begin, std::int64_t end) {
    SketchArgs part = args;
    part.weights = static_cast<const std::uint8_t*>(args.weights) + begin * args.row_bytes;
    part.out += begin * args.out_row_bytes;
    part.squares += 3 * begin;
    part.rows = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
