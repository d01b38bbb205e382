// SPDX-License-Identifier: MIT OR Apache-2.0
// A model with what it takes to talk to it: tokenizer, chat template, stop tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/generate/tokenizer/tokenizer.h"
#include "bitnet/model/decoder.h"
#include "bitnet/model/loader.h"
#include "bitnet/model/pack_weights.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {

struct OpenOptions {
  ConfigOverrides overrides;
  /// I2_S layout the user vouches for; nullopt: x86's, checked by a probe (layout_probe.h).
  std::optional<PackedFormat> i2s_layout;
  /// Name of a pre-tokenizer (tokenizer/pre_tokenizer.h) for GGUF files that do not say theirs.
  std::string pre_tokenizer;
  /// Layout of ternary weights in memory. Who reads TernaryMatrix::codes asks for block128, and for
  /// all neurons.
  TernaryPacking packing = TernaryPacking::automatic;
  /// Whether neurons that add nothing stay (model/dead_neurons.h).
  bool keep_dead_neurons = false;
  HybridMemoryPool* pool = &default_pool();
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

/// The tokenizer of a model folder (tokenizer.json) or GGUF file.
/// Throws FileError: E_IO where there is none; E_VOCAB for a broken one, and for a GGUF file that
/// leaves its pre-tokenizer open (say --pre-tokenizer). The 2B4T vocabulary (128,256 tokens) is
/// known to be Llama-3's.
Tokenizer open_tokenizer(const std::string& path, const OpenOptions& options = {});
bool has_tokenizer(const std::string& path);

/// The model's chat template (Jinja source); empty where it has none.
std::string read_chat_template(const std::string& path);

/// Tokens that end a text: the model's end-of-text tokens, those of generation_config.json, and the
/// end-of-turn tokens of known chat formats ("<|eot_id|>", "<|im_end|>") where the vocabulary has
/// them as control tokens.
std::vector<std::int32_t> stop_tokens(const std::string& path, const ModelConfig& config,
                                      const Tokenizer* tokenizer);

/// load_model() with the layout probe, for which alone the tokenizer is used, remove_dead_neurons()
/// and pack_weights().
LoadedModel open_model(const std::string& path, const OpenOptions& options, Runtime& runtime);

}  // namespace bitnet
