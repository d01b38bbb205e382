// SPDX-License-Identifier: MIT OR Apache-2.0
// Cosines and sines of the rotary embedding, the same bits on every machine.
#pragma once

#include <vector>

#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// As Hugging Face's LlamaRotaryEmbedding computes them in float32:
///   inv_freq[i] = float(1 / float(theta ^ float(2i / dim)));  angle = float(position) *
///   inv_freq[i];  cos, sin of that float.
/// Powers, cosines and sines are the project's own (base/math.h), rounded once to float.
class RopeTable {
 public:
  RopeTable(double theta, std::int64_t head_dim);

  /// Fills rows for positions first, first + 1, …: cos and sin [tokens][head_dim / 2].
  void fill(std::int64_t first_position, MatrixView<float> cos, MatrixView<float> sin) const;

 private:
  std::vector<float> inverse_frequency_;
};

}  // namespace bitnet
