// SPDX-License-Identifier: MIT OR Apache-2.0
// Names of a decoder's tensors in Hugging Face folders.
#pragma once

#include <string>

#include "bitnet/model/weights.h"

namespace bitnet::hf_names {

inline constexpr const char* kEmbedding = "model.embed_tokens.weight";
inline constexpr const char* kHead = "lm_head.weight";
inline constexpr const char* kNorm = "model.norm.weight";
inline constexpr const char* kAttentionNorm = "input_layernorm.weight";
inline constexpr const char* kAttentionSubNorm = "self_attn.attn_sub_norm.weight";
inline constexpr const char* kFfnNorm = "post_attention_layernorm.weight";
inline constexpr const char* kFfnSubNorm = "mlp.ffn_sub_norm.weight";

/// "model.layers.3.mlp.ffn_sub_norm.weight" from (3, "mlp.ffn_sub_norm.weight")
inline std::string in_layer(std::int64_t index, const std::string& rest) {
  return "model.layers." + std::to_string(index) + "." + rest;
}

/// "model.layers.3.self_attn.q_proj" + suffix (".weight", ".weight_scale", ".rms_norm.weight")
inline std::string linear(std::int64_t index, Linear which, const char* suffix) {
  const char* name = "mlp.down_proj";
  switch (which) {
    case Linear::q:
      name = "self_attn.q_proj";
      break;
    case Linear::k:
      name = "self_attn.k_proj";
      break;
    case Linear::v:
      name = "self_attn.v_proj";
      break;
    case Linear::o:
      name = "self_attn.o_proj";
      break;
    case Linear::gate:
      name = "mlp.gate_proj";
      break;
    case Linear::up:
      name = "mlp.up_proj";
      break;
    case Linear::down:
      break;
  }
  return in_layer(index, std::string(name) + suffix);
}

}  // namespace bitnet::hf_names
