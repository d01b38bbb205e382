// SPDX-License-Identifier: MIT OR Apache-2.0
// Neurons of a layer's feed-forward part that add nothing, whatever the text. A neuron is row i of
// gate and up and column i of down; it is dead where its row of gate or of up is all zeros.
//
// act(0) * u and act(g) * 0 are 0 (of either sign) where u and act(g) are numbers. Such a value
// adds nothing to the sum of squares of a norm or to the maximum that quantizing takes, stays 0
// under finite norm weights, and quantizes to 0, so that its column of down meets no sum. What it
// does is to be counted by the norm's mean: RmsNormArgs::divisor.
#pragma once

#include "bitnet/model/loader.h"
#include "bitnet/ops/context.h"

namespace bitnet {

struct DeadNeurons {
  std::int64_t neurons = 0, dead = 0;
  std::int64_t zero_gate_rows = 0, zero_up_rows = 0;
  /// These alone are not dead: the norm and the scale of a token see them.
  std::int64_t zero_down_columns = 0;

  DeadNeurons& operator+=(const DeadNeurons& other) noexcept;
};

/// Needs the 2-bit form (TernaryMatrix::codes).
DeadNeurons count_dead_neurons(const LayerWeights& layer);

/// Takes dead neurons out of every layer of which 1/32 of the ternary bytes goes with them; the
/// model gives the same bits as before. Layers stay as they are where a dead neuron might not be 0
/// (norms or scales so large that a product might overflow, none of a trained model), where down
/// has group scales, and where weights have left the 2-bit form. Nobody may use the weights
/// meanwhile, and nobody may need them whole afterwards (convert, inspect). Throws
/// Error{out_of_memory}; the layers done before stay so.
void remove_dead_neurons(LoadedModel& model, const OpContext& context,
                         HybridMemoryPool& pool = default_pool());

/// Neurons that remove_dead_neurons() took out.
std::int64_t removed_neurons(const ModelConfig& config, const Weights& weights) noexcept;

}  // namespace bitnet
