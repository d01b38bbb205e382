// SPDX-License-Identifier: MIT OR Apache-2.0
// A checksum for our own files and packed blocks: finds damage, not malice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bitnet {

/// XXH64 (the specification "xxHash fast digest algorithm", version 0.1.1), the same on every host.
std::uint64_t xxh64(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;

}  // namespace bitnet
