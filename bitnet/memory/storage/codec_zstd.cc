// SPDX-License-Identifier: MIT OR Apache-2.0
#include <zstd.h>

#include "bitnet/memory/storage/codec_rows.h"

namespace bitnet::storage {
namespace {

constexpr int kLevel = 1;  // blocks are packed while someone waits for memory

std::size_t compress(std::span<const std::byte> from, std::byte* to) {
  const std::size_t written =
      ZSTD_compress(to, ZSTD_compressBound(from.size()), from.data(), from.size(), kLevel);
  return ZSTD_isError(written) ? 0 : written;
}

bool decompress(std::span<const std::byte> from, std::span<std::byte> to) {
  const std::size_t written = ZSTD_decompress(to.data(), to.size(), from.data(), from.size());
  return !ZSTD_isError(written) && written == to.size();
}

}  // namespace

std::optional<BlockCodec> zstd_codec() noexcept {
  return BlockCodec{CodecId::zstd, "zstd", ZSTD_compressBound, compress, decompress};
}

}  // namespace bitnet::storage
