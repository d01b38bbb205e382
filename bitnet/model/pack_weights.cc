// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/pack_weights.h"

#include <vector>

#include "bitnet/ops/linear.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

std::int64_t bytes_of(const TernaryMatrix& matrix) {
  return lookup_tiles::bytes(matrix.rows(), matrix.cols());  // a multiple of 64
}

}  // namespace

void pack_weights(LoadedModel& model, const OpContext& context, TernaryPacking packing,
                  HybridMemoryPool& pool) {
  if (packing == TernaryPacking::automatic) {
    const auto faster = context.table->lookup_is_faster;
    packing = faster && faster() ? TernaryPacking::lookup : TernaryPacking::block128;
  }
  if (packing == TernaryPacking::block128) return;
  std::vector<TernaryMatrix*> matrices;
  std::int64_t bytes = 0;
  for (LayerWeights& layer : model.weights->layers)
    for (TernaryMatrix& matrix : layer.linears)
      if (can_pack_for_lookup(context, matrix)) {
        matrices.push_back(&matrix);
        bytes += bytes_of(matrix);
      }
  if (matrices.empty()) return;
  // One block for all: blocks of their own, rounded to huge pages, would take a quarter more.
  const auto memory = std::make_shared<Tensor>(Tensor::allocate(DType::i8, {bytes}, pool));
  std::byte* at = memory->mutable_data();
  for (TernaryMatrix* matrix : matrices) {
    const Tensor before = matrix->codes;
    const std::int64_t taken = bytes_of(*matrix);
    pack_for_lookup(context, *matrix, at, memory);
    at += taken;
    if (before.borrowed()) model.source->release({before.data(), before.size_bytes()});
  }
}

std::uint64_t ternary_bytes(const Weights& weights) noexcept {
  std::uint64_t bytes = 0;
  for (const LayerWeights& layer : weights.layers)
    for (const TernaryMatrix& matrix : layer.linears) bytes += matrix.size_bytes();
  return bytes;
}

}  // namespace bitnet
