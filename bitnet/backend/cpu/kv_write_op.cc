// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kv_write/kv_write.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {

// Heads are divided, not tokens: 16 tokens share the cache lines of a key block.
void kv_write(const KvWriteArgs& args, ThreadPool& pool) {
  static const auto run = choose(kv_write_kernels(), isa::active()).run;
  const std::int64_t head_bytes = kv_head_bytes(args.type, args.capacity, args.dim);
  for_rows(pool, args.kv_heads, args.tokens * args.dim, [&](std::int64_t begin, std::int64_t end) {
    KvWriteArgs part = args;
    part.k += begin * args.dim;
    part.v += begin * args.dim;
    part.keys = static_cast<std::byte*>(args.keys) + begin * head_bytes;
    part.values = static_cast<std::byte*>(args.values) + begin * head_bytes;
    part.kv_heads = end - begin;
    run(part);
  });
}

}  // namespace bitnet::cpu
