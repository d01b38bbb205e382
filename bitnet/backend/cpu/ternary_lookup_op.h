// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary layers in tiles of ternary/lookup_tiles.h, on all workers of a pool.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

void ternary_lookup(const TernaryLookupArgs& args, ThreadPool& pool);
void pack_lookup(const PackLookupArgs& args, ThreadPool& pool);

/// Weights a core multiplies in a second, of one token, with the weights in L2.
struct TernaryRates {
  double linear = 0, lookup = 0;
};
/// Of the kernels that isa::active() chooses; measured at the first call, in some 2 ms.
const TernaryRates& ternary_rates();
bool lookup_is_faster();
/// Whether isa::active() allows a kernel that is more than the reference.
bool has_lookup_kernels();

}  // namespace bitnet::cpu
