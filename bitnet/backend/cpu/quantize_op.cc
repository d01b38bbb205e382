// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/quantize_op.h"

#include "bitnet/backend/cpu/kernels/quantize/quantize.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void quantize(const QuantizeArgs& args, ThreadPool& pool) {
  static const auto run = choose(quantize_kernels(), isa::active()).run;
  for_rows(pool, args.tokens, args.cols, [&](std::int64_t begin, std::int64_t end) {
    QuantizeArgs part = args;
    part.x += begin * args.x_stride;
    part.q += begin * args.q_stride;
    part.scale += begin;
    part.sum += begin;
    part.tokens = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
