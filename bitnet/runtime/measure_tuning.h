// SPDX-License-Identifier: MIT OR Apache-2.0
// Measures what a tuning keeps.
#pragma once

#include <functional>

#include "bitnet/runtime/tuning.h"

namespace bitnet {

/// Measures this machine with 1, 2, 4, ... and all usable CPUs, some 0.3 s each: reading, and both
/// layouts of ternary weights from caches and from memory, in the shapes of BitNet b1.58 2B4T.
/// Takes up to 700 MB of default_pool() meanwhile, less where less is available. `progress` is told
/// rows done of rows to do. Throws Error{out_of_memory}; as isa::active().
Tuning measure_tuning(const std::function<void(int done, int total)>& progress = {});

}  // namespace bitnet
