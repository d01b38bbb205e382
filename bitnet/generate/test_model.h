// SPDX-License-Identifier: MIT OR Apache-2.0
// A model of a few kilobytes for tests of what uses models.
#pragma once

#include "bitnet/model/decoder.h"
#include "bitnet/model/random_model.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {

class TestModel {
 public:
  static constexpr std::int64_t kVocab = 50, kPositions = 64;

  explicit TestModel(std::int64_t vocab = kVocab)
      : model_(random_model(config(vocab), 11, runtime_.threads())) {}

  Decoder decoder() { return Decoder(model_.config, model_.weights, runtime_.context()); }

 private:
  static ModelConfig config(std::int64_t vocab) {
    ModelConfig c;
    c.architecture = "LlamaForCausalLM";
    c.source = "test model";
    c.hidden_size = 64;
    c.intermediate_size = 128;
    c.num_layers = 2;
    c.num_heads = 4;
    c.num_kv_heads = 2;
    c.head_dim = 16;
    c.vocab_size = vocab;
    c.max_positions = kPositions;
    c.rms_norm_eps = 1e-5f;
    c.rope_theta = 10000.0;
    c.activation = GatedActivation::silu;
    return c;
  }

  Runtime runtime_{2};
  LoadedModel model_;
};

}  // namespace bitnet
