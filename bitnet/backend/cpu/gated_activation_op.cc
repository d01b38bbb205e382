// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

void gated_activation(const GatedActivationArgs& args, ThreadPool& pool) {
  static const auto run = choose(gated_activation_kernels(), isa::active()).run;
  for_rows(pool, args.tokens, args.cols, [&](std::int64_t begin, std::int64_t end) {
    GatedActivationArgs part = args;
    part.gate += begin * args.gate_stride;
    part.up += begin * args.up_stride;
    part.out += begin * args.out_stride;
    part.tokens = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
