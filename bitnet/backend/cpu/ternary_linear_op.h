// SPDX-License-Identifier: MIT OR Apache-2.0
// The ternary linear layer over all workers: an entry of the CPU's op table.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Divides rows over the workers, or tokens where rows are too few. The kernel is chosen once, by
/// isa::active(). The result does not depend on the number of workers.
void ternary_linear(const TernaryLinearArgs& args, ThreadPool& pool);

}  // namespace bitnet::cpu
