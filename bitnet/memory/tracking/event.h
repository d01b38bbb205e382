// SPDX-License-Identifier: MIT OR Apache-2.0
// What an allocating thread writes at TrackingLevel::detailed: 16 bytes for each block.
#pragma once

#include <cstdint>

namespace bitnet {

enum class TrackingLevel : std::uint8_t {
  none,      // nothing for blocks of the raw front door; handles are always counted
  basic,     // counts and bytes, per thread, summed when read
  standard,  // and per class, live bytes and their peak
  detailed,  // and an event for each block: timeline, lifetimes, sites, patterns, leaks
};

enum class EventKind : std::uint8_t {
  allocate,
  free,
  site,  // follows the allocate of the same address where its stack was sampled; `size` is its id
};

/// Addresses have 48 bits on every system this runs on.
struct TrackingEvent {
  std::uint64_t address : 48;
  std::uint64_t tag : 12;  // index of the TagScope around it; 0: none
  std::uint64_t kind : 4;
  std::uint32_t size;     // encoded_size() of the bytes asked for, or a site's id
  std::uint32_t time_ms;  // of the tracker's coarse clock
};
static_assert(sizeof(TrackingEvent) == 16);

/// Bytes in 32 bits: exact below 2 GiB, rounded up to 64 KiB from there to 128 TiB.
constexpr std::uint32_t encoded_size(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kExact = std::uint64_t{1} << 31;
  if (bytes < kExact) return static_cast<std::uint32_t>(bytes);
  return static_cast<std::uint32_t>(kExact | ((bytes + 0xFFFF) >> 16));
}
constexpr std::uint64_t decoded_size(std::uint32_t size) noexcept {
  constexpr std::uint32_t kScaled = std::uint32_t{1} << 31;
  return size & kScaled ? std::uint64_t{size & ~kScaled} << 16 : size;
}

}  // namespace bitnet
