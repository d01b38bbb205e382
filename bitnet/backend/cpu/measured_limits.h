// SPDX-License-Identifier: MIT OR Apache-2.0
// Rates of the loops of cpu_limits.h: of one core, and of all workers of a pool.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "bitnet/base/thread_pool.h"
#include "bitnet/profile/roof.h"

namespace bitnet::cpu {

/// Least seconds of `times` calls.
template <class Work>
double best_seconds(int times, const Work& work) {
  double best = 1e9;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

/// Float operations a second of one core; 0 where no loop is known.
double peak_flops(std::string_view kernel);

/// Bytes a second that the pool's workers read together, the best of `times`.
double read_bandwidth(ThreadPool& pool, const void* data, std::int64_t bytes, int times = 8);

/// All rates, with all of the pool's threads, for the kernels in use: below half a second, with up
/// to 512 MB of default_pool(). Reading is 0 (not known) where that memory is refused.
profile::Roof measure_roof(ThreadPool& pool);

}  // namespace bitnet::cpu
