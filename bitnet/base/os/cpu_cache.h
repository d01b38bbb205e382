// SPDX-License-Identifier: MIT OR Apache-2.0
// Sizes of the first CPU's caches.
#pragma once

#include <cstdint>

namespace bitnet::os {

/// Bytes of the data cache of level 1, 2 or 3; 0 where there is none or the system does not tell.
std::int64_t cache_bytes(int level) noexcept;

}  // namespace bitnet::os
