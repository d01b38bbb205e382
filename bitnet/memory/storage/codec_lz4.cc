// SPDX-License-Identifier: MIT OR Apache-2.0
#include <lz4.h>

#include <climits>

#include "bitnet/memory/storage/codec_rows.h"

namespace bitnet::storage {
namespace {

std::size_t bound(std::size_t bytes) {
  return bytes > LZ4_MAX_INPUT_SIZE
             ? 0
             : static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(bytes)));
}

std::size_t compress(std::span<const std::byte> from, std::byte* to) {
  if (from.size() > LZ4_MAX_INPUT_SIZE) return 0;
  const int size = static_cast<int>(from.size());
  const int written =
      LZ4_compress_default(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to),
                           size, LZ4_compressBound(size));
  return written > 0 ? static_cast<std::size_t>(written) : 0;
}

bool decompress(std::span<const std::byte> from, std::span<std::byte> to) {
  if (from.size() > INT_MAX || to.size() > INT_MAX) return false;
  const int written = LZ4_decompress_safe(
      reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to.data()),
      static_cast<int>(from.size()), static_cast<int>(to.size()));
  return written >= 0 && static_cast<std::size_t>(written) == to.size();
}

}  // namespace

std::optional<BlockCodec> lz4_codec() noexcept {
  return BlockCodec{CodecId::lz4, "lz4", bound, compress, decompress};
}

}  // namespace bitnet::storage
