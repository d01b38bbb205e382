// SPDX-License-Identifier: MIT OR Apache-2.0
// The key/values of a GGUF file that describe a model.
#pragma once

#include "bitnet/io/gguf.h"
#include "bitnet/model/config.h"

namespace bitnet {

/// How a GGUF architecture differs from the others.
struct GgufFamily {
  std::string_view name;          // general.architecture
  std::string_view architecture;  // as config.json says it
  bool sub_norms;
  bool permuted_rope;  // rows of q and k are stored pairwise (2i, 2i + 1), as llama.cpp's converter
                       // writes "llama"
  std::optional<GatedActivation> activation;  // nullopt: files of both kinds exist
};

/// Throws FileError{unsupported} E_CONFIG for an architecture that is not known.
const GgufFamily& gguf_family(const GgufFile& file);
/// The family a model of this config is written as.
const GgufFamily& gguf_family_for(const ModelConfig& config);

/// Keys that this project writes beside llama.cpp's.
inline constexpr std::string_view kHiddenActKey = "bitnet_core.hidden_act";
/// gamma of every ternary matrix as float32, [layers * 7] in the order of Linear: TQ1_0 and TQ2_0
/// store it in half precision, which would change logits.
inline constexpr std::string_view kGammasKey = "bitnet_core.weight_scales";
inline constexpr std::string_view kInputNormEpsKey = "bitnet_core.input_norm_rms_epsilon";

/// Reads and validates. Throws FileError: E_KEY, E_KEYTYPE, E_CONFIG, E_ACT (say --activation).
ModelConfig config_from_gguf(const GgufFile& file, const ConfigOverrides& overrides);

}  // namespace bitnet
