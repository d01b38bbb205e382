// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/attention/attention.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

namespace {

// Tokens of a unit of work: whole blocks of the kernel's rows for any number of heads per kv head.
constexpr std::int64_t kUnitTokens = 16;
// Multiply-adds that one core does in some 4 us (ternary_linear_op.cc says why).
constexpr std::int64_t kAloneProducts = 400'000;

}  // namespace

// Units are a kv head and up to 16 tokens, the last tokens (which see most) first, dealt out in
// turn.
void attention(const AttentionArgs& args, ThreadPool& pool) {
  static const auto run = choose(attention_kernels(), isa::active()).run;
  const std::int64_t group = args.heads / args.kv_heads;
  const std::int64_t blocks = (args.tokens + kUnitTokens - 1) / kUnitTokens;
  const std::int64_t head_bytes = kv_head_bytes(args.type, args.capacity, args.dim);
  const auto task = [&](int worker, int count) {
    for (std::int64_t unit = worker; unit < blocks * args.kv_heads; unit += count) {
      const std::int64_t kv = unit % args.kv_heads;
      const std::int64_t first = (blocks - 1 - unit / args.kv_heads) * kUnitTokens;
      AttentionArgs part = args;
      part.q += first * args.q_stride + kv * group * args.dim;
      part.out += first * args.out_stride + kv * group * args.dim;
      part.keys = static_cast<const std::byte*>(args.keys) + kv * head_bytes;
      part.values = static_cast<const std::byte*>(args.values) + kv * head_bytes;
      part.first_position += first;
      part.tokens = std::min(kUnitTokens, args.tokens - first);
      part.heads = group;
      part.kv_heads = 1;
      part.scratch = worker_scratch(attention_scratch_floats(part));
      run(part);
    }
  };
  const std::int64_t positions = args.first_position + args.tokens;
  if (2 * args.tokens * positions * args.heads * args.dim <= kAloneProducts)
    task(0, 1);
  else
    pool.run(task);
}

}  // namespace bitnet::cpu
