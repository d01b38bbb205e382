// SPDX-License-Identifier: MIT OR Apache-2.0
// Mapped files that shrink: the kernel raises SIGBUS at the first touch of a page that is gone. The
// guard's handler puts a page of zeros there and marks the mapping as lost; addresses of no guarded
// mapping go to the handler before ours.
#pragma once

#include <cstddef>

namespace bitnet::os {

inline constexpr std::size_t kMappingPage = 4096;

/// Watches [data, data + size), whose pages of zeros can be written where `writable`, and installs
/// the handler at first use. Returns a slot, -1 where all 4096 are taken (the mapping then works
/// without the guard).
int guard_mapping(const void* data, std::size_t size, bool writable = false) noexcept;
void release_mapping(int slot) noexcept;
bool mapping_lost(int slot) noexcept;

}  // namespace bitnet::os
