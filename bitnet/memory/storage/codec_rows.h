// SPDX-License-Identifier: MIT OR Apache-2.0
// Rows of the codec table; a library that is not built in has none.
#pragma once

#include <optional>

#include "bitnet/memory/storage/codec.h"

namespace bitnet::storage {

BlockCodec ternary_codec() noexcept;              // codec_ternary.cc
std::optional<BlockCodec> zstd_codec() noexcept;  // codec_zstd.cc or codec_zstd_none.cc
std::optional<BlockCodec> lz4_codec() noexcept;   // codec_lz4.cc or codec_lz4_none.cc

}  // namespace bitnet::storage
