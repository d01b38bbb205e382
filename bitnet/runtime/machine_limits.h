// SPDX-License-Identifier: MIT OR Apache-2.0
// What this machine can do at best: the yardstick of `bitnet bench` and of the profiler.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/profile/roof.h"

namespace bitnet {

/// Measures for less than half a second with all of the pool's threads; takes up to 512 MB of
/// memory for it.
profile::Roof measure_machine_limits(ThreadPool& threads);

}  // namespace bitnet
