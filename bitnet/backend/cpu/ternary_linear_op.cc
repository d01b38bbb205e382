// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/ternary_linear_op.h"

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/stream_fetch.h"

namespace bitnet::cpu {
namespace {

// 16 results are a cache line of the output: workers do not share one.
constexpr std::int64_t kRowStep = 16;
constexpr std::int64_t kTokenStep = 4;
// One core computes this many packed bytes times tokens in some 4 us; to wake the others and to
// wait for them takes as long, and far longer where the machine is busy.
constexpr std::int64_t kAloneBytes = 256 * 1024;

TernaryLinearArgs rows_of(TernaryLinearArgs args, std::int64_t begin, std::int64_t end) noexcept {
  args.weights += begin * args.row_bytes;
  args.out += begin;
  args.rows = end - begin;
  return args;
}

TernaryLinearArgs tokens_of(TernaryLinearArgs args, std::int64_t begin, std::int64_t end) noexcept {
  args.activations += begin * args.activation_stride;
  args.activation_sum += begin;
  args.token_scale += begin;
  args.out += begin * args.out_stride;
  args.tokens = end - begin;
  return args;
}

}  // namespace

void ternary_linear(const TernaryLinearArgs& all, ThreadPool& pool) {
  static TernaryLinearFn* const run = choose(ternary_linear_kernels(), isa::active()).run;
  TernaryLinearArgs args = all;
  args.fetch = fetch_trial().next();
  if (args.rows * args.row_bytes * args.tokens <= kAloneBytes) return run(args);
  const bool few_rows = args.rows < kRowStep * pool.size() && args.tokens > args.rows;
  if (few_rows)
    pool.for_slices(args.tokens, kTokenStep, [&](std::int64_t begin, std::int64_t end) {
      run(tokens_of(args, begin, end));
    });
  else
    pool.for_slices(args.rows, kRowStep,
                    [&](std::int64_t begin, std::int64_t end) { run(rows_of(args, begin, end)); });
}

}  // namespace bitnet::cpu
