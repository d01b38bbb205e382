// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/norm/norm.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void rms_norm(const RmsNormArgs& args, ThreadPool& pool) {
  static const auto run = choose(rms_norm_kernels(), isa::active()).run;
  for_rows(pool, args.tokens, args.cols, [&](std::int64_t begin, std::int64_t end) {
    RmsNormArgs part = args;
    part.x += begin * args.x_stride;
    part.out += begin * args.out_stride;
    part.tokens = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
