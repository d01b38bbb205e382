// SPDX-License-Identifier: MIT OR Apache-2.0
// What a reduction is told.
#pragma once

#include "bitnet/ops/pointwise_args.h"
#include "bitnet/ops/reduce_ops.h"

namespace bitnet {

/// out[k] = op of the `count` elements that lie `step` bytes apart from where x[k] begins, for
/// every index k of shape `kept`.
struct ReduceArgs {
  ReduceOp op;
  Shape kept;
  ArrayIn x;  // strides of the kept axes
  std::int64_t count, step;
  ArrayOut out;       // of x's type; i64 of argmax, argmin, and sums of integers
  double correction;  // of variance
};

}  // namespace bitnet
