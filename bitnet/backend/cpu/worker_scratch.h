// SPDX-License-Identifier: MIT OR Apache-2.0
// Scratch memory of a worker thread, and when a second worker is worth waking.
#pragma once

#include <cstdint>

#include "bitnet/base/thread_pool.h"

namespace bitnet::cpu {

/// At least `floats` floats of the calling thread's own, 64-byte aligned, contents undefined; valid
/// until its next call. Grows, and is freed when the thread ends. Throws std::bad_alloc.
float* worker_scratch(std::int64_t floats);

/// Calls body(begin, end) on each worker's slice of [0, rows), or on the caller alone where all
/// rows together are less than `kSmallFloats` floats.
template <class Body>
void for_rows(ThreadPool& pool, std::int64_t rows, std::int64_t floats_per_row, const Body& body) {
  // 32 Ki floats take some 5 us; waking the others takes as long.
  constexpr std::int64_t kSmallFloats = 32768;
  if (rows <= kSmallFloats / (floats_per_row + 1))
    body(std::int64_t{0}, rows);
  else
    pool.for_slices(rows, 1, body);
}

}  // namespace bitnet::cpu
