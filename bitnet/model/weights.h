// SPDX-License-Identifier: MIT OR Apache-2.0
// The tensors of a decoder.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bitnet/model/config.h"
#include "bitnet/ternary/ternary_matrix.h"

namespace bitnet {

/// The ternary matrices of a layer, in the order they are computed.
enum class Linear : std::uint8_t { q, k, v, o, gate, up, down };
inline constexpr std::array kLinears{Linear::q,    Linear::k,  Linear::v,   Linear::o,
                                     Linear::gate, Linear::up, Linear::down};

/// [rows, cols] of a layer's matrix.
inline Shape shape_of(Linear which, const ModelConfig& c) {
  switch (which) {
    case Linear::q:
      return {c.q_size(), c.hidden_size};
    case Linear::k:
      return {c.kv_size(), c.hidden_size};
    case Linear::v:
      return {c.kv_size(), c.hidden_size};
    case Linear::o:
      return {c.hidden_size, c.q_size()};
    case Linear::gate:
      return {c.intermediate_size, c.hidden_size};
    case Linear::up:
      return {c.intermediate_size, c.hidden_size};
    case Linear::down:
      break;
  }
  return {c.hidden_size, c.intermediate_size};
}

struct LayerWeights {
  Tensor attention_norm;      // f32 [hidden]
  Tensor attention_sub_norm;  // f32 [heads * head_dim]; empty without sub-norms
  Tensor ffn_norm;            // f32 [hidden]
  Tensor ffn_sub_norm;        // f32 [intermediate]; empty without sub-norms
  std::array<TernaryMatrix, 7> linears;
  std::array<Tensor, 7> input_norms;  // f32 [cols]; empty unless config.input_norms

  TernaryMatrix& linear(Linear which) { return linears[static_cast<std::size_t>(which)]; }
  const TernaryMatrix& linear(Linear which) const {
    return linears[static_cast<std::size_t>(which)];
  }
};

struct Weights {
  Tensor embedding;  // [vocab, hidden], dense
  Tensor head;       // [vocab, hidden], dense; the embedding itself where heads are tied
  Tensor norm;       // f32 [hidden]
  std::vector<LayerWeights> layers;
};

}  // namespace bitnet
