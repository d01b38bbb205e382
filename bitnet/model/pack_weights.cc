// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/pack_weights.h"

#include <vector>

#include "bitnet/ops/linear.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

// Both are multiples of 32, and rows of block128 may begin there; those of tiles of 64.
std::int64_t bytes_of(const TernaryMatrix& matrix, TernaryPacking packing) {
  return packing == TernaryPacking::lookup ? lookup_tiles::bytes(matrix.rows(), matrix.cols())
                                           : matrix.rows() * block128::row_bytes(matrix.cols());
}

bool must_move(const OpContext& context, const TernaryMatrix& matrix, TernaryPacking packing) {
  return packing == TernaryPacking::lookup ? can_pack_for_lookup(context, matrix)
                                           : matrix.tiles.bytes.defined();
}

void move(const OpContext& context, TernaryMatrix& matrix, TernaryPacking packing,
          std::byte* memory, const std::shared_ptr<const void>& keeper) {
  packing == TernaryPacking::lookup ? pack_for_lookup(context, matrix, memory, keeper)
                                    : unpack_from_lookup(context, matrix, memory, keeper);
}

}  // namespace

void pack_weights(LoadedModel& model, const OpContext& context, TernaryPacking packing,
                  HybridMemoryPool& pool) {
  if (packing == TernaryPacking::automatic) {
    const auto faster = context.table->lookup_is_faster;
    packing = faster && faster() ? TernaryPacking::lookup : TernaryPacking::block128;
  }
  std::vector<TernaryMatrix*> matrices;
  std::int64_t bytes = 0;
  for (LayerWeights& layer : model.weights->layers)
    for (TernaryMatrix& matrix : layer.linears)
      if (must_move(context, matrix, packing)) {
        matrices.push_back(&matrix);
        bytes += bytes_of(matrix, packing);
      }
  if (matrices.empty()) return;
  // One block for all: blocks of their own, rounded to huge pages, would take a quarter more.
  const auto memory = std::make_shared<Tensor>(Tensor::allocate(DType::i8, {bytes}, pool));
  std::byte* at = memory->mutable_data();
  for (TernaryMatrix* matrix : matrices) {
    const Tensor before = matrix->codes.defined() ? matrix->codes : matrix->tiles.bytes;
    const std::int64_t taken = bytes_of(*matrix, packing);
    move(context, *matrix, packing, at, memory);
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
