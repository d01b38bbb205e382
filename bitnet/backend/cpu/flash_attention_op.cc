// SPDX-License-Identifier: MIT OR Apache-2.0
// How attention and its gradient are divided: units of rows of one batch and kv head, and, where
// those are few, their chunks of keys; no division changes a bit (ops/flash_attention_args.h).
#include <algorithm>
#include <memory>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"
#include "bitnet/backend/cpu/worker_scratch.h"
#include "bitnet/base/math.h"

namespace bitnet::cpu {
namespace {

// Multiply-adds that one core does in some 4 us (ternary_linear_op.cc says why).
constexpr std::int64_t kAloneProducts = 400'000;
// Units for each worker, so that the last ones leave few workers idle.
constexpr std::int64_t kUnitsPerWorker = 4;

std::int64_t pieces(std::int64_t total, std::int64_t size) { return (total + size - 1) / size; }

std::size_t usize(std::int64_t n) { return static_cast<std::size_t>(n); }

// Row units: kv heads times blocks of `size` rows, the last rows (which see most) first.
struct Units {
  std::int64_t heads, rows, size, blocks, count;  // heads of all batches

  Units(const FlashAttentionArgs& a, std::int64_t wanted)
      : heads(a.batch * a.kv_heads), rows(a.queries * (a.heads / a.kv_heads)), size(kFlashRows) {
    while (size > 16 && heads * pieces(rows, size) < wanted) size /= 2;
    blocks = pieces(rows, size);
    count = heads * blocks;
  }
  std::int64_t head(std::int64_t unit) const { return unit % heads; }
  std::int64_t first(std::int64_t unit) const { return (blocks - 1 - unit / heads) * size; }
  std::int64_t rows_of(std::int64_t unit) const { return std::min(size, rows - first(unit)); }
};

template <class Task>
void for_each(ThreadPool& pool, bool alone, std::int64_t count, const Task& task) {
  if (alone) {
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  pool.run([&](int worker, int workers) {
    for (std::int64_t i = worker; i < count; i += workers) task(i);
  });
}

bool small(const FlashAttentionArgs& a) {
  const auto products = static_cast<double>(a.batch * a.heads * a.queries) *
                        static_cast<double>(a.keys * (a.dim + a.value_dim));
  return products <= kAloneProducts;
}

void store_logsumexp(const FlashForwardJob& job) {
  const FlashAttentionArgs& a = *job.args;
  if (!a.logsumexp.data) return;
  const std::int64_t group = a.heads / a.kv_heads;
  for (std::int64_t i = 0; i < job.rows; ++i) {
    const std::int64_t row = job.first_row + i, head = job.kv_head * group + row % group;
    a.logsumexp.data[job.batch * a.logsumexp.batch_stride + head * a.logsumexp.head_stride +
                     row / group * a.logsumexp.row_stride] =
        static_cast<float>(double{job.sums[i]} + det_log(double{job.sums[kFlashRows + i]}));
  }
}

}  // namespace

void flash_attention(const FlashAttentionArgs& args, ThreadPool& pool) {
  static const auto run = choose(flash_forward_kernels(), isa::active()).run;
  const bool alone = pool.size() == 1 || small(args);
  const std::int64_t wanted = alone ? 1 : kUnitsPerWorker * pool.size();
  const Units units(args, wanted);
  const std::int64_t chunks = pieces(args.keys, kFlashChunk);
  const bool split = units.count < wanted && chunks > 1;
  const std::int64_t state_floats =
      flash_state_floats(std::min(units.size, units.rows), args.value_dim);
  const auto states = std::make_unique_for_overwrite<float[]>(
      split ? usize(units.count * chunks * state_floats) : 0);
  const auto work = [&](std::int64_t unit, FlashStep step, std::int64_t chunk) {
    float sums[2 * kFlashRows];
    const std::int64_t rows = units.rows_of(unit);
    FlashForwardJob job{
        &args,
        units.head(unit) / args.kv_heads,
        units.head(unit) % args.kv_heads,
        units.first(unit),
        rows,
        step,
        chunk,
        nullptr,
        sums,
        worker_scratch(flash_forward_scratch_floats(rows, args.dim, args.value_dim))};
    if (split) job.states = states.get() + unit * chunks * state_floats;
    // A state of this unit's rows, which may be fewer.
    if (step == FlashStep::chunk) job.states += chunk * flash_state_floats(rows, args.value_dim);
    run(job);
    if (step != FlashStep::chunk) store_logsumexp(job);
  };
  if (!split)
    return for_each(pool, alone, units.count,
                    [&](std::int64_t unit) { work(unit, FlashStep::whole, 0); });
  for_each(pool, alone, units.count * chunks,
           [&](std::int64_t i) { work(i / chunks, FlashStep::chunk, i % chunks); });
  for_each(pool, alone, units.count, [&](std::int64_t unit) { work(unit, FlashStep::combine, 0); });
}

void flash_attention_backward(const FlashAttentionBackwardArgs& args, ThreadPool& pool) {
  static const auto run = choose(flash_backward_kernels(), isa::active()).run;
  const FlashAttentionArgs& a = args.forward;
  const bool alone = pool.size() == 1 || small(a);
  const std::int64_t wanted = alone ? 1 : kUnitsPerWorker * pool.size();
  const Units units(a, wanted);
  const auto delta = std::make_unique_for_overwrite<float[]>(usize(units.heads * units.rows));
  const auto work = [&](std::int64_t head, bool keys, std::int64_t first, std::int64_t count) {
    run({&args, head / a.kv_heads, head % a.kv_heads, keys, first, count,
         delta.get() + head * units.rows,
         worker_scratch(flash_backward_scratch_floats(a.dim, a.value_dim))});
  };
  for_each(pool, alone, units.count, [&](std::int64_t unit) {
    work(units.head(unit), false, units.first(unit), units.rows_of(unit));
  });
  const std::int64_t most = kFlashBackwardBlocks * kFlashKeys;
  const std::int64_t step = units.heads * pieces(a.keys, most) < wanted ? kFlashKeys : most;
  // The first keys, which most rows see, first.
  for_each(pool, alone, units.heads * pieces(a.keys, step), [&](std::int64_t i) {
    const std::int64_t first = i / units.heads * step;
    work(i % units.heads, true, first, std::min(step, a.keys - first));
  });
}

}  // namespace bitnet::cpu
