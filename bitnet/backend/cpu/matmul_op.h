// SPDX-License-Identifier: MIT OR Apache-2.0
// The CPU backend's matrix product (ops/matmul_args.h).
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/matmul_args.h"

namespace bitnet::cpu {

/// Throws std::bad_alloc where the panels (a few MB a worker) cannot be had.
void matmul(const MatmulArgs& args, ThreadPool& pool);

/// i8 times i8 to i32.
void matmul_i8(const MatmulArgs& args, ThreadPool& pool);

}  // namespace bitnet::cpu
