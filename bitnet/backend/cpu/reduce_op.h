// SPDX-License-Identifier: MIT OR Apache-2.0
// The CPU backend's reductions (ops/reduce_args.h).
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/reduce_args.h"

namespace bitnet::cpu {

/// Throws std::bad_alloc where the totals of pieces (1/2048 of the input) cannot be had.
void reduce(const ReduceArgs& args, ThreadPool& pool);

/// f64 and integers, plain C++.
void plain_reduce(const ReduceArgs& args, ThreadPool& pool);

}  // namespace bitnet::cpu
