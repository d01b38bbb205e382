// SPDX-License-Identifier: MIT OR Apache-2.0
// What a model is, as data: read from its file, refused where a file leaves it open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/ops/args.h"

namespace bitnet {

/// How a file stores the scale of a ternary matrix (docs/FORMATS.md): gamma = mean|W| itself, or 1
/// / gamma.
enum class ScaleMeaning : std::uint8_t { multiply, divide };

/// A decoder of BitLinear layers. Every difference between families is a field.
struct ModelConfig {
  std::string architecture;  // "BitNetForCausalLM", "LlamaForCausalLM"
  std::string source;        // path it was read from
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_positions = 0;
  float rms_norm_eps = 0.0f;
  double rope_theta = 0.0;
  GatedActivation activation = GatedActivation::relu2;
  bool sub_norms = false;  // RMSNorm before o_proj and down_proj
  bool tied_head = false;  // logits come from the embedding
  bool input_norms =
      false;  // quantization_config.use_rms_norm: an RMSNorm before every linear layer
  float input_norm_eps = 0.0f;
  bool online = false;  // masters quantized at load
  ScaleMeaning scale_meaning = ScaleMeaning::multiply;
  std::int32_t bos_token = -1;           // -1: none
  std::vector<std::int32_t> eos_tokens;  // generation stops at each

  std::int64_t q_size() const noexcept { return num_heads * head_dim; }
  std::int64_t kv_size() const noexcept { return num_kv_heads * head_dim; }
};

/// What a user may settle where a file does not (command line: --activation, --scale-meaning,
/// --i2s-layout).
struct ConfigOverrides {
  std::optional<GatedActivation> activation;
  std::optional<ScaleMeaning> scale_meaning;
};

/// Throws FileError{corrupt_file} E_CONFIG naming the first field that cannot be: zero or absurd
/// sizes, heads that do not divide, an odd head size, token ids outside the vocabulary.
void validate(const ModelConfig& config);

/// "relu2", "silu"
std::string_view to_string(GatedActivation activation) noexcept;
std::optional<GatedActivation> activation_from_name(std::string_view name) noexcept;

}  // namespace bitnet
