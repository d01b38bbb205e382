// SPDX-License-Identifier: MIT OR Apache-2.0
// config.json of a Hugging Face folder.
#pragma once

#include "bitnet/io/json.h"
#include "bitnet/model/config.h"

namespace bitnet {

/// Reads and validates a config.json. Families and fields: docs/FORMATS.md.
/// Throws FileError: E_CONFIG for what is missing, of the wrong kind or impossible; {unsupported}
/// E_CONFIG for what this engine does not compute (biases, scaled rotary embeddings, other
/// architectures); E_ACT / E_SCALE where the activation or the meaning of weight_scale is left open
/// and `overrides` does not settle it.
ModelConfig config_from_hf(const Json& document, const std::string& file,
                           const ConfigOverrides& overrides);

}  // namespace bitnet
