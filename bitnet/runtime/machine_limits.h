// SPDX-License-Identifier: MIT OR Apache-2.0
// What this machine can do at best: the yardstick of `bitnet bench`.
#pragma once

#include <string>

#include "bitnet/base/thread_pool.h"

namespace bitnet {

struct MachineLimits {
  double read_bytes_per_second = 0.0;  // memory, all threads, far beyond the caches
  double int8_ops_per_second = 0.0;    // a product and an addition are two; 0: not known
  std::string dot_kernel;              // whose dot instruction: "avx512vnni"
};

/// Measures for about half a second with all of the pool's threads; takes 512 MB of memory for it.
MachineLimits measure_machine_limits(ThreadPool& threads);

}  // namespace bitnet
