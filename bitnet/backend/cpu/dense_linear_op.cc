// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {
namespace {

// As in ternary_linear_op.cc: some 4 us of one core.
constexpr std::int64_t kAloneBytes = 256 * 1024;

}  // namespace

// Weight rows are divided, in whole groups of 16 so that workers do not share cache lines of the
// output.
void dense_linear(const DenseLinearArgs& args, ThreadPool& pool) {
  static const auto run = choose(dense_linear_kernels(), isa::active()).run;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    DenseLinearArgs part = args;
    part.weights = static_cast<const std::uint8_t*>(args.weights) + begin * args.row_bytes;
    part.out += begin;
    part.rows = end - begin;
    part.scratch = worker_scratch(dense_linear_scratch_floats(args.cols));
    run(part);
  };
  if (args.rows * args.row_bytes * args.tokens <= kAloneBytes)
    body(0, args.rows);
  else
    pool.for_slices(args.rows, 16, body);
}

}  // namespace bitnet::cpu
