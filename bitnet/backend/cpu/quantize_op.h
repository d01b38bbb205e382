// SPDX-License-Identifier: MIT OR Apache-2.0
// Quantized activations over all workers: an entry of the CPU's op table.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

/// Divides tokens over the workers; the result does not depend on their number.
void quantize(const QuantizeArgs& args, ThreadPool& pool);

}  // namespace bitnet::cpu
