// SPDX-License-Identifier: MIT OR Apache-2.0
// Checksums of files and packed blocks: they find damage, not malice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bitnet {

/// XXH64 (the specification "xxHash fast digest algorithm", version 0.1.1), the same on every host.
std::uint64_t xxh64(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;

/// CRC-32 of ISO-HDLC, as in zip and PNG (polynomial 0xEDB88320, reflected). Of two pieces:
/// crc32(b, crc32(a)).
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace bitnet
