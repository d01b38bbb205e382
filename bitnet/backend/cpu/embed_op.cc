// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void embed(const EmbedArgs& args, ThreadPool& pool) {
  static const auto run = choose(embed_kernels(), isa::active()).run;
  for_rows(pool, args.tokens, args.cols, [&](std::int64_t begin, std::int64_t end) {
    EmbedArgs part = args;
    part.ids += begin;
    part.out += begin * args.out_stride;
    part.tokens = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
