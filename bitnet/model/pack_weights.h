// SPDX-License-Identifier: MIT OR Apache-2.0
// In which of the two layouts a loaded model's ternary weights are computed.
#pragma once

#include "bitnet/model/loader.h"
#include "bitnet/ops/context.h"

namespace bitnet {

enum class TernaryPacking : std::uint8_t {
  automatic,  // the one that the machine computes faster (OpTable::lookup_is_faster)
  block128,   // 2 bits a weight; who reads TernaryMatrix::codes asks for it
  lookup,     // 1.6 bits a weight (ternary/lookup_tiles.h)
};

/// Moves the matrices of all layers that lie in the other layout, one after the other, to memory of
/// their own; pages of a file that are not read any more go. What a file has as `packing` says is
/// used in place. The model gives the same bits either way. Nobody may use the weights meanwhile.
/// Throws Error{out_of_memory}; the model is as before then.
void pack_weights(LoadedModel& model, const OpContext& context, TernaryPacking packing,
                  HybridMemoryPool& pool = default_pool());

/// Bytes of the ternary matrices of all layers as they are.
std::uint64_t ternary_bytes(const Weights& weights) noexcept;

}  // namespace bitnet
