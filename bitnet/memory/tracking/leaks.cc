// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/leaks.h"

#include <algorithm>
#include <map>
#include <utility>

#include "bitnet/memory/tracking/event.h"

namespace bitnet {
namespace {

bool outlives(const LifetimeHistogram* lives, std::uint64_t age_ms) {
  return lives && lives->total >= 100 && age_ms / 10 > lives->quantile_ms(0.99);
}

/// Keeps the largest: a heap whose first is the smallest kept.
void keep_largest(std::vector<LeakCandidate>& kept, const LeakCandidate& candidate) {
  const auto larger = [](const LeakCandidate& a, const LeakCandidate& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.address < b.address;
  };
  if (kept.size() == LeakReport::kMostCandidates) {
    if (!larger(candidate, kept.front())) return;
    std::pop_heap(kept.begin(), kept.end(), larger);
    kept.pop_back();
  }
  kept.push_back(candidate);
  std::push_heap(kept.begin(), kept.end(), larger);
}

}  // namespace

LeakReport find_leaks(const LiveTable& live, std::uint64_t now_ms,
                      std::chrono::milliseconds min_age, const TrackedPool* pool,
                      const Lifetimes& lifetimes, const PatternFinder& patterns,
                      std::vector<LiveBlock>& dead) {
  LeakReport report;
  report.time_ms = now_ms;
  report.min_age_ms = static_cast<std::uint64_t>(min_age.count());
  std::map<std::pair<std::uint32_t, std::uint16_t>, LeakGroup> groups;
  std::uint64_t entries = 0;
  live.for_each([&](const LiveBlock& block) {
    ++entries;
    const std::uint64_t age = now_ms - std::min(block.time_ms, now_ms);
    if (age < report.min_age_ms) return;
    if (pool && !pool->is_live(block.address)) {
      dead.push_back(block);
      return;
    }
    const LeakCandidate candidate{block.address, decoded_size(block.size),
                                  age,           block.tag,
                                  block.site,    outlives(lifetimes.of_tag(block.tag), age)};
    ++report.blocks;
    report.bytes += candidate.bytes;
    keep_largest(report.candidates, candidate);
    LeakGroup& group = groups[{block.site, block.tag}];
    ++group.blocks;
    group.bytes += candidate.bytes;
    group.oldest_ms = std::max(group.oldest_ms, age);
    group.outlived += candidate.outlived;
  });
  for (auto& [key, group] : groups) {
    group.site = key.first;
    group.tag = key.second;
    group.grows = patterns.grows(group.tag);
    report.groups.push_back(group);
  }
  const auto by_bytes = [](const auto& a, const auto& b) { return a.bytes > b.bytes; };
  std::stable_sort(report.groups.begin(), report.groups.end(), by_bytes);
  std::stable_sort(report.candidates.begin(), report.candidates.end(), by_bytes);
  if (pool) {
    const std::uint64_t known = entries - dead.size();
    const std::uint64_t all = pool->metrics().live_blocks;
    report.unseen_blocks = all - std::min(all, known);
  }
  return report;
}

}  // namespace bitnet
