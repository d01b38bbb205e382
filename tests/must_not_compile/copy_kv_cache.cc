// SPDX-License-Identifier: MIT OR Apache-2.0
// Copying a cache costs hundreds of megabytes: it is spelled clone().
#include "bitnet/model/kv_cache.h"

void use([[maybe_unused]] bitnet::KvCache& cache) {
#ifdef BITNET_BAD_LINE
  bitnet::KvCache copy = cache;
#endif
}
