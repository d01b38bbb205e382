// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory of a step whose tensors are known ahead: one block, each tensor at an offset of its own
// while it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitnet/memory/hybrid_pool.h"

namespace bitnet {

/// A tensor lives from step `first` to step `last`, both included.
struct PlannedTensor {
  std::uint64_t bytes = 0;
  std::uint32_t first = 0, last = 0;
  std::uint32_t alignment = 64;  // a power of two up to 2 MiB
};

struct ArenaPlan {
  std::vector<std::uint64_t> offsets;  // one for each tensor
  std::uint64_t bytes = 0;             // of the whole arena
  std::uint64_t lower_bound = 0;       // most bytes that live in one step: no plan needs fewer
  std::uint64_t alignment = 64;        // of the arena
};

/// Offsets at which no two tensors that live in one step overlap. Deterministic. Tensors are placed
/// from the largest to the smallest, each in the tightest gap between those it lives with ("greedy
/// by size", Pisarchyk and Lee 2020, arXiv:2001.03288), once more in the order of their steps, and
/// the smaller arena counts. Throws Error{invalid_argument}: last before first, a bad alignment, a
/// sum beyond 2^63.
ArenaPlan plan_arena(std::span<const PlannedTensor> tensors);

/// A plan in memory of a pool.
class PlannedArena {
 public:
  /// Throws as HybridMemoryPool::allocate().
  PlannedArena(const ArenaPlan& plan, HybridMemoryPool& pool, Device device = {});

  /// The place of a tensor; what was there before its first step belongs to another.
  std::byte* data(std::size_t tensor) const noexcept { return memory_.data() + offsets_[tensor]; }
  std::size_t size_bytes() const noexcept { return memory_.size_bytes(); }

 private:
  std::vector<std::uint64_t> offsets_;
  MemoryHandle memory_;
};

}  // namespace bitnet
