// SPDX-License-Identifier: MIT OR Apache-2.0
// In which of the two layouts a loaded model's ternary weights are computed.
#pragma once

#include "bitnet/model/loader.h"
#include "bitnet/ops/context.h"

namespace bitnet {

enum class TernaryPacking : std::uint8_t {
  automatic,  // the one that the machine computes faster (OpTable::lookup_is_faster)
  block128,   // 2 bits a weight, as loaded: in place where the file has it so
  lookup,     // 1.6 bits a weight (ternary/lookup_tiles.h): memory of its own, pages of the file go
};

/// Moves the matrices of all layers, one after the other, where `packing` says so. The model gives
/// the same bits either way. Nobody may use the weights meanwhile, and nobody may need the 2-bit
/// form afterwards (convert, inspect). Throws Error{out_of_memory}; the model is as before then.
void pack_weights(LoadedModel& model, const OpContext& context, TernaryPacking packing,
                  HybridMemoryPool& pool = default_pool());

/// Bytes of the ternary matrices of all layers as they are.
std::uint64_t ternary_bytes(const Weights& weights) noexcept;

}  // namespace bitnet
