// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads are not copied.
#include "bitnet/base/thread_pool.h"

void use([[maybe_unused]] bitnet::ThreadPool& pool) {
#ifdef BITNET_BAD_LINE
  bitnet::ThreadPool copy = pool;
#endif
}
