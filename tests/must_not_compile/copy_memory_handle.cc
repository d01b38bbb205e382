// SPDX-License-Identifier: MIT OR Apache-2.0
// A block of memory has one owner.
#include "bitnet/memory/hybrid_pool.h"

void use([[maybe_unused]] bitnet::MemoryHandle& handle) {
#ifdef BITNET_BAD_LINE
  bitnet::MemoryHandle copy = handle;
#endif
}
