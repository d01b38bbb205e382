// SPDX-License-Identifier: MIT OR Apache-2.0
// Ways to make the bytes of a block fewer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace bitnet::storage {

/// Numbers are part of our files: never reused.
enum class CodecId : std::uint8_t { stored = 0, ternary = 1, lz4 = 2, zstd = 3 };

struct BlockCodec {
  CodecId id;
  const char* name;
  /// Most bytes that `compress` may write for `bytes` of input.
  std::size_t (*bound)(std::size_t bytes);
  /// Bytes written to `to`, which has room for bound(from.size()); 0: this content is not for it.
  std::size_t (*compress)(std::span<const std::byte> from, std::byte* to);
  /// Whether `from` is well formed and unpacks to exactly to.size() bytes.
  bool (*decompress)(std::span<const std::byte> from, std::span<std::byte> to);
};

/// Those built in, best ratio for its content first; `stored` is no row.
std::span<const BlockCodec> codecs() noexcept;
/// nullptr where it is not built in.
const BlockCodec* find_codec(CodecId id) noexcept;

/// How a block is packed.
struct Packing {
  CodecId codec = CodecId::stored;
  std::uint8_t element_bytes = 1;  // bytes were regrouped by their place in elements of so many
  std::uint64_t bytes = 0;         // unpacked
  std::uint64_t checksum = 0;      // xxh64 of the unpacked bytes
};

/// A packed block: self-contained but for the codec.
struct PackedBlock : Packing {
  std::vector<std::byte> payload;
};

/// Bytes {-1, 0, 1} become five to a byte; others are regrouped as elements of 4 bytes (byte k of
/// all elements together: the exponents of neighbouring floats are alike) where that helps, and
/// compressed. nullopt where the result is not at least `min_ratio` times smaller, or without
/// memory for it.
std::optional<PackedBlock> pack_block(std::span<const std::byte> content, double min_ratio = 1.1);
/// As pack_block(), stored as it is where nothing is won. Throws std::bad_alloc.
PackedBlock pack_or_store(std::span<const std::byte> content);

/// Trusts nothing of `block` and `payload`. Throws Error: corrupt_file (sizes, payload or checksum
/// are wrong), unsupported (a codec that is not built in), invalid_argument (`to` has another
/// size).
void unpack_block(const Packing& block, std::span<const std::byte> payload,
                  std::span<std::byte> to);
inline void unpack_block(const PackedBlock& block, std::span<std::byte> to) {
  unpack_block(block, block.payload, to);
}

}  // namespace bitnet::storage
