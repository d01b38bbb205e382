// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/rope/rope.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void rope(const RopeArgs& args, ThreadPool& pool) {
  static const auto run = choose(rope_kernels(), isa::active()).run;
  for_rows(pool, args.tokens, args.heads * args.dim, [&](std::int64_t begin, std::int64_t end) {
    RopeArgs part = args;
    part.x += begin * args.x_stride;
    part.cos += begin * (args.dim / 2);
    part.sin += begin * (args.dim / 2);
    part.tokens = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
