// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/pack_weights.h"

#include "bitnet/ops/linear.h"

namespace bitnet {

void pack_weights(LoadedModel& model, const OpContext& context, TernaryPacking packing,
                  HybridMemoryPool& pool) {
  if (packing == TernaryPacking::automatic) {
    const auto faster = context.table->lookup_is_faster;
    packing = faster && faster() ? TernaryPacking::lookup : TernaryPacking::block128;
  }
  if (packing == TernaryPacking::block128) return;
  for (LayerWeights& layer : model.weights->layers)
    for (TernaryMatrix& matrix : layer.linears) {
      const Tensor before = matrix.codes;
      pack_for_lookup(context, matrix, pool);
      if (!matrix.codes.defined() && before.borrowed())
        model.source->release({before.data(), before.size_bytes()});
    }
}

std::uint64_t ternary_bytes(const Weights& weights) noexcept {
  std::uint64_t bytes = 0;
  for (const LayerWeights& layer : weights.layers)
    for (const TernaryMatrix& matrix : layer.linears) bytes += matrix.size_bytes();
  return bytes;
}

}  // namespace bitnet
