// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/rows/rows.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void rows(const RowArgs& args, ThreadPool& pool) {
  static const auto run = choose(rows_kernels(), isa::active()).run;
  for_rows(pool, args.rows, args.cols, [&](std::int64_t begin, std::int64_t end) {
    RowArgs part = args;
    part.x += begin * args.x_stride;
    if (part.g) part.g += begin * args.g_stride;
    if (part.targets) part.targets += begin;
    part.out += begin * args.out_stride;
    if (part.extra) part.extra += begin * args.cols;
    part.rows = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
