// SPDX-License-Identifier: MIT OR Apache-2.0
// In place of codec_zstd.cc where zstd is not built in.
#include "bitnet/memory/storage/codec_rows.h"

namespace bitnet::storage {

std::optional<BlockCodec> zstd_codec() noexcept { return std::nullopt; }

}  // namespace bitnet::storage
