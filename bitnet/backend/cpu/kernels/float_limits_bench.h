// SPDX-License-Identifier: MIT OR Apache-2.0
// What this machine can do at best, measured beside the float kernels: float multiply-adds on
// registers alone, and reading.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "bitnet/base/thread_pool.h"

namespace bitnet::cpu {

/// Runs fused multiply-adds of the kernel's ISA, 16 independent chains, and returns how many float
/// operations that was (a product and an addition are two). 0 where no loop is known.
std::int64_t fma_peak(std::string_view kernel) noexcept;

/// Reads `bytes` (a multiple of 256) once, fetching ahead; the result depends on all of them.
float read_once(const void* data, std::int64_t bytes) noexcept;

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

/// Float operations a second of one core.
inline double peak_flops(std::string_view kernel) {
  std::int64_t flops = 0;
  const double seconds = best_seconds(200, [&] { flops = fma_peak(kernel); });
  return static_cast<double>(flops) / seconds;
}

/// Bytes a second that the pool's workers read together.
inline double read_bandwidth(ThreadPool& pool, const void* data, std::int64_t bytes) {
  const double seconds = best_seconds(8, [&] {
    pool.for_slices(bytes, 4096, [&](std::int64_t begin, std::int64_t end) {
      volatile float sink = read_once(static_cast<const char*>(data) + begin, end - begin);
      (void)sink;
    });
  });
  return static_cast<double>(bytes) / seconds;
}

}  // namespace bitnet::cpu
