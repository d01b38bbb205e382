// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/arena_plan.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <string>

#include "bitnet/base/checked.h"
#include "bitnet/base/error.h"
#include "bitnet/memory/units.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62;

void check(std::span<const PlannedTensor> tensors) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const PlannedTensor& t = tensors[i];
    const char* fault = nullptr;
    if (t.last < t.first) fault = "ends before it begins";
    if (!std::has_single_bit(t.alignment) || t.alignment > memory::kMaxAlignment)
      fault = "has an alignment that is no power of two up to 2 MiB";
    if (t.bytes > kMostBytes || sum > kMostBytes - t.bytes - t.alignment)
      fault = "makes the sum too large";
    if (fault)
      fail(Errc::invalid_argument, "plan_arena: tensor " + std::to_string(i) + " " + fault);
    sum += t.bytes + t.alignment;
  }
}

std::uint64_t lower_bound_of(std::span<const PlannedTensor> tensors) {
  std::map<std::uint64_t, std::int64_t> changes;
  for (const PlannedTensor& t : tensors) {
    changes[t.first] += static_cast<std::int64_t>(t.bytes);
    changes[std::uint64_t{t.last} + 1] -= static_cast<std::int64_t>(t.bytes);
  }
  std::int64_t live = 0, most = 0;
  for (const auto& [step, change] : changes) most = std::max(most, live += change);
  return static_cast<std::uint64_t>(most);
}

// Places tensors in the given order; `placed` is kept sorted by offset.
ArenaPlan place(std::span<const PlannedTensor> tensors, std::span<const std::size_t> order) {
  ArenaPlan plan;
  plan.offsets.resize(tensors.size());
  std::vector<std::size_t> placed;
  for (const std::size_t i : order) {
    const PlannedTensor& t = tensors[i];
    if (t.bytes == 0) continue;  // at 0: it has no bytes to overlap
    std::uint64_t end = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
    for (const std::size_t k : placed) {
      const PlannedTensor& other = tensors[k];
      if (other.last < t.first || other.first > t.last) continue;
      const std::uint64_t begin = plan.offsets[k], at = align_up(end, t.alignment);
      if (begin > end && at + t.bytes <= begin && begin - end < best_gap) {
        best = at;
        best_gap = begin - end;
      }
      end = std::max(end, begin + other.bytes);
    }
    if (best == UINT64_MAX) best = align_up(end, t.alignment);
    plan.offsets[i] = best;
    plan.bytes = std::max(plan.bytes, best + t.bytes);
    plan.alignment = std::max<std::uint64_t>(plan.alignment, t.alignment);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), best,
                                   [&](std::uint64_t offset, std::size_t k) {
                                     return offset < plan.offsets[k];
                                   }),
                  i);
  }
  return plan;
}

}  // namespace

ArenaPlan plan_arena(std::span<const PlannedTensor> tensors) {
  check(tensors);
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return tensors[a].bytes > tensors[b].bytes;
  });
  ArenaPlan plan = place(tensors, order);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return tensors[a].first < tensors[b].first;
  });
  if (ArenaPlan by_step = place(tensors, order); by_step.bytes < plan.bytes)
    plan = std::move(by_step);
  plan.lower_bound = lower_bound_of(tensors);
  return plan;
}

PlannedArena::PlannedArena(const ArenaPlan& plan, HybridMemoryPool& pool, Device device)
    : offsets_(plan.offsets), memory_(pool.allocate(plan.bytes, plan.alignment, device)) {}

}  // namespace bitnet
