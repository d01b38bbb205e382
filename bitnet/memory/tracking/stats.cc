// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/stats.h"

#include <algorithm>

namespace bitnet {
namespace {

template <class Stats>
std::vector<Stats> top(const std::vector<Stats>& all, std::size_t count) {
  std::vector<Stats> seen;
  for (const Stats& s : all)
    if (s.allocations > 0 || s.live_blocks > 0) seen.push_back(s);
  std::stable_sort(seen.begin(), seen.end(), [](const Stats& a, const Stats& b) {
    return a.live_bytes != b.live_bytes ? a.live_bytes > b.live_bytes
                                        : a.allocated_bytes > b.allocated_bytes;
  });
  seen.resize(std::min(seen.size(), count));
  return seen;
}

void subtract(BlockStats& stats, const BlockStats& before) noexcept {
  stats.allocations -= before.allocations;
  stats.frees -= before.frees;
  stats.allocated_bytes -= before.allocated_bytes;
}

}  // namespace

void Aggregates::allocate(std::uint16_t tag, std::uint64_t bytes) {
  total.allocate(bytes);
  while (tags.size() <= tag) tags.push_back({{}, static_cast<std::uint16_t>(tags.size())});
  tags[tag].allocate(bytes);
}

void Aggregates::attribute(std::uint32_t site, std::uint64_t bytes) {
  while (sites.size() <= site) sites.push_back({{}, static_cast<std::uint32_t>(sites.size())});
  sites[site].allocate(bytes);
}

void Aggregates::free(std::uint16_t tag, std::uint32_t site, std::uint64_t bytes) noexcept {
  total.free(bytes);
  tags[tag].free(bytes);
  if (site != 0) sites[site].free(bytes);
}

Aggregates Aggregates::since(const Aggregates& before) const {
  Aggregates out = *this;
  subtract(out.total, before.total);
  for (std::size_t i = 0; i < before.tags.size(); ++i) subtract(out.tags[i], before.tags[i]);
  for (std::size_t i = 0; i < before.sites.size(); ++i) subtract(out.sites[i], before.sites[i]);
  return out;
}

std::vector<TagStats> Aggregates::top_tags(std::size_t count) const { return top(tags, count); }
std::vector<SiteStats> Aggregates::top_sites(std::size_t count) const { return top(sites, count); }

void PeakWatch::begin(const Aggregates& now, std::uint64_t time_ms) {
  peak_ = {};
  peak_.bytes = now.total.live_bytes;
  peak_.time_ms = time_ms;
  keep(now);
}

void PeakWatch::keep(const Aggregates& now) {
  peak_.kept_bytes = now.total.live_bytes;
  peak_.tags = now.top_tags(SIZE_MAX);
  peak_.sites = now.top_sites(SIZE_MAX);
}

PeakWatch::Peak PeakWatch::peak(const Aggregates& now) const {
  if (now.total.live_bytes != peak_.bytes) return peak_;
  PeakWatch current = *this;
  current.keep(now);
  return current.peak_;
}

}  // namespace bitnet
