// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void add(const AddArgs& args, ThreadPool& pool) {
  static const auto run = choose(add_kernels(), isa::active()).run;
  for_rows(pool, args.tokens, args.cols, [&](std::int64_t begin, std::int64_t end) {
    AddArgs part = args;
    part.x += begin * args.x_stride;
    part.y += begin * args.y_stride;
    part.tokens = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
