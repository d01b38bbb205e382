// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/sites.h"

#include <algorithm>
#include <new>

#include "bitnet/base/os/stack_trace.h"

namespace bitnet {

std::uint32_t SiteTable::intern(std::span<const std::uintptr_t> frames) noexcept {
  if (frames.empty()) return 0;
  frames = frames.first(std::min(frames.size(), kMaxFrames));
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a over words
  for (const std::uintptr_t frame : frames) hash = (hash ^ frame) * 0x100000001b3u;
  const std::lock_guard lock(mutex_);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (std::ranges::equal(stacks_[it->second - 1], frames)) return it->second;
  if (stacks_.size() == kMaxSites) return 0;
  try {
    stacks_.emplace_back(frames.begin(), frames.end());
  } catch (const std::bad_alloc&) {
    return 0;
  }
  const auto site = static_cast<std::uint32_t>(stacks_.size());
  try {
    by_hash_.emplace(hash, site);
  } catch (const std::bad_alloc&) {
    stacks_.pop_back();
    return 0;
  }
  return site;
}

std::vector<std::uintptr_t> SiteTable::frames(std::uint32_t site) const {
  const std::lock_guard lock(mutex_);
  if (site == 0 || site > stacks_.size()) return {};
  return stacks_[site - 1];
}

std::vector<std::string> SiteTable::describe(std::uint32_t site) const {
  std::vector<std::string> names;
  for (const std::uintptr_t frame : frames(site)) names.push_back(os::describe_frame(frame));
  return names;
}

std::uint32_t SiteTable::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(stacks_.size());
}

}  // namespace bitnet
