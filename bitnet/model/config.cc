// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/config.h"

#include <cmath>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

// Ten times the largest published ternary model in each direction; products of them stay far below
// 2^63.
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxVocab = std::int64_t{1} << 24;
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 24;
constexpr std::int64_t kMaxHeadDim = 512;

[[noreturn]] void refuse(const ModelConfig& c, const char* field, const std::string& value,
                         const std::string& limit) {
  throw FileError(Errc::corrupt_file, {"E_CONFIG", c.source, 0, field, value, limit});
}

void check_range(const ModelConfig& c, const char* field, std::int64_t value, std::int64_t max) {
  if (value < 1 || value > max)
    refuse(c, field, std::to_string(value), "1 to " + std::to_string(max));
}

}  // namespace

void validate(const ModelConfig& c) {
  check_range(c, "hidden_size", c.hidden_size, kMaxWidth);
  check_range(c, "intermediate_size", c.intermediate_size, kMaxWidth);
  check_range(c, "num_hidden_layers", c.num_layers, kMaxLayers);
  check_range(c, "num_attention_heads", c.num_heads, kMaxWidth);
  check_range(c, "num_key_value_heads", c.num_kv_heads, c.num_heads);
  check_range(c, "head_dim", c.head_dim, kMaxHeadDim);
  check_range(c, "vocab_size", c.vocab_size, kMaxVocab);
  check_range(c, "max_position_embeddings", c.max_positions, kMaxPositions);
  check_range(c, "num_attention_heads * head_dim", c.q_size(), kMaxWidth);
  if (c.num_heads % c.num_kv_heads != 0)
    refuse(c, "num_key_value_heads", std::to_string(c.num_kv_heads),
           "must divide num_attention_heads = " + std::to_string(c.num_heads));
  if (c.head_dim % 2 != 0)
    refuse(c, "head_dim", std::to_string(c.head_dim), "must be even (rotary embedding)");
  if (!(c.rms_norm_eps >= 0.0f) || !(c.rms_norm_eps <= 1.0f))
    refuse(c, "rms_norm_eps", std::to_string(c.rms_norm_eps), "0 to 1");
  if (c.input_norms && !(c.input_norm_eps >= 0.0f && c.input_norm_eps <= 1.0f))
    refuse(c, "quantization_config.rms_norm_eps", std::to_string(c.input_norm_eps), "0 to 1");
  if (!(c.rope_theta >= 1.0) || !std::isfinite(c.rope_theta))
    refuse(c, "rope_theta", std::to_string(c.rope_theta), "a finite number from 1");
  if (c.bos_token < -1 || c.bos_token >= c.vocab_size)
    refuse(c, "bos_token_id", std::to_string(c.bos_token), "below vocab_size");
  for (const std::int32_t eos : c.eos_tokens)
    if (eos < 0 || eos >= c.vocab_size)
      refuse(c, "eos_token_id", std::to_string(eos), "below vocab_size");
}

std::string_view to_string(GatedActivation activation) noexcept {
  return activation == GatedActivation::relu2 ? "relu2" : "silu";
}

std::optional<GatedActivation> activation_from_name(std::string_view name) noexcept {
  if (name == "relu2") return GatedActivation::relu2;
  if (name == "silu" || name == "swish") return GatedActivation::silu;
  return std::nullopt;
}

}  // namespace bitnet
