// SPDX-License-Identifier: MIT OR Apache-2.0
// In place of codec_lz4.cc where lz4 is not built in.
#include "bitnet/memory/storage/codec_rows.h"

namespace bitnet::storage {

std::optional<BlockCodec> lz4_codec() noexcept { return std::nullopt; }

}  // namespace bitnet::storage
