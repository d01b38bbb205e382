// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/memory_plan.h"

#include <algorithm>

#include "bitnet/model/weights.h"
#include "bitnet/ternary/activations.h"

namespace bitnet {

// Decoder's Workspace: floats for the residual stream, its delta, the norm's output, q, k, v,
// attention's output, gate, up, cosines and sines; int8 activations with scale and sum; a scale for
// each token of three matrices; with input norms, their output.
std::uint64_t workspace_bytes(const ModelConfig& c, std::int64_t tokens) {
  const std::int64_t widest = std::max({c.hidden_size, c.q_size(), c.intermediate_size});
  const std::int64_t floats = 2 * c.hidden_size + widest + 2 * c.q_size() + 2 * c.kv_size() +
                              2 * c.intermediate_size + 2 * (c.head_dim / 2) + 5 +
                              (c.input_norms ? widest : 0);
  return static_cast<std::uint64_t>(tokens * (floats * 4 + pair_order_bytes(widest)));
}

std::int64_t ternary_weights(const ModelConfig& config) {
  std::int64_t weights = 0;
  for (const Linear which : kLinears) {
    const Shape shape = shape_of(which, config);
    weights += shape[0] * shape[1];
  }
  return config.num_layers * weights;
}

}  // namespace bitnet
