// SPDX-License-Identifier: MIT OR Apache-2.0
// What a model will need in memory, known before it is loaded.
#pragma once

#include <cstdint>

#include "bitnet/model/config.h"

namespace bitnet {

/// Bytes of a decoder's working memory once it has computed `tokens` at once (Decoder::kMaxChunk at
/// most).
std::uint64_t workspace_bytes(const ModelConfig& config, std::int64_t tokens);

/// Ternary weights of all layers.
std::int64_t ternary_weights(const ModelConfig& config);

}  // namespace bitnet
