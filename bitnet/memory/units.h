// SPDX-License-Identifier: MIT OR Apache-2.0
// What a pool's address space is counted in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitnet::memory {

/// Spans and large blocks are whole units.
inline constexpr std::size_t kUnitBytes = 64 * 1024;
/// Address space is taken into use in arenas, each aligned to its size; the largest block of a
/// buddy.
inline constexpr std::size_t kArenaBytes = 256u << 20;
inline constexpr std::uint32_t kArenaUnits = kArenaBytes / kUnitBytes;  // 4096
inline constexpr std::uint32_t kOrders = 13;                            // 1 to 4096 units
static_assert(kArenaUnits == 1u << (kOrders - 1));

inline constexpr std::size_t kMaxAlignment = 2u << 20;

inline constexpr std::uint32_t kNoUnit = ~0u;

constexpr std::uint32_t units_for(std::size_t bytes) noexcept {
  return static_cast<std::uint32_t>((bytes + kUnitBytes - 1) / kUnitBytes);
}

}  // namespace bitnet::memory
