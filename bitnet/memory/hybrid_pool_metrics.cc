// SPDX-License-Identifier: MIT OR Apache-2.0
// What a HybridMemoryPool says about itself.
#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/memory/hybrid_pool_state.h"
#include "bitnet/memory/tracking/detailed_metrics.h"

namespace bitnet {
namespace {

using memory::kUnitBytes;

std::uint64_t live_blocks(const memory::SmallBlockPool::ClassFigures& figures) noexcept {
  return figures.blocks - std::min(figures.blocks, figures.free_blocks);
}

PartMetrics part_of(const memory::Arenas& arenas) {
  const memory::Arenas::Space space = arenas.space();
  PartMetrics part;
  part.committed_bytes = (arenas.taken_units() + arenas.dirty_units()) * kUnitBytes;
  part.peak_committed_bytes = arenas.peak_units() * kUnitBytes;
  part.free_bytes = space.free_units * kUnitBytes;
  part.largest_free_bytes = space.largest_free_units * kUnitBytes;
  part.limit_bytes = arenas.limit_units() * kUnitBytes;
  return part;
}

// Small blocks; those at hand of threads count as live, as only their thread knows them. Calls
// `visit(class, its figures)` for each class.
PartMetrics small_part(const memory::HostPool& host, auto&& visit) {
  PartMetrics part = part_of(host.small().arenas());
  part.committed_bytes -= std::min(part.committed_bytes, host.small().purged_bytes());
  for (std::uint32_t i = 0; i < memory::kNumClasses; ++i) {
    const memory::SmallBlockPool::ClassFigures figures = host.small().figures(i);
    part.live_bytes += live_blocks(figures) * memory::kSizeClasses[i].block_bytes;
    visit(i, figures);
  }
  return part;
}

PartMetrics large_part(const memory::HostPool& host) {
  const memory::LargeBlockPool& large = host.large();
  PartMetrics part = part_of(large.arenas());
  part.live_bytes = large.arenas().taken_units() * kUnitBytes + large.mapped_bytes();
  part.committed_bytes += large.mapped_bytes();
  part.peak_committed_bytes += large.peak_mapped_bytes();
  return part;
}

std::uint64_t not_negative(std::int64_t value) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value));
}

}  // namespace

MemoryMetrics HybridMemoryPool::metrics() const {
  const State& s = *state_;
  const memory::HostPool::Counts counts = s.host.counts();
  // Raw blocks are counted while they are watched: frees of older ones may outnumber them.
  const std::int64_t raw = std::max<std::int64_t>(
      0, static_cast<std::int64_t>(counts.bytes) - static_cast<std::int64_t>(counts.freed_bytes));
  const std::int64_t raw_blocks = std::max<std::int64_t>(
      0, static_cast<std::int64_t>(counts.allocations) - static_cast<std::int64_t>(counts.frees));
  MemoryMetrics m;
  m.live_bytes = not_negative(s.host.handle_live_bytes() + raw);
  m.peak_bytes = std::max(m.live_bytes, not_negative(s.host.peak_bytes()));
  m.live_blocks = counts.handles - counts.freed_handles + static_cast<std::uint64_t>(raw_blocks);
  m.failed_allocations = s.failures.load(std::memory_order_relaxed);
  // Attempts, as a program sees them: those that failed too.
  m.total_allocations = counts.handles + counts.allocations;
  m.total_bytes = counts.handle_bytes + counts.bytes;
  m.metadata_bytes = s.host.metadata_bytes() + s.handles.bytes();

  m.small = small_part(s.host, [&](std::uint32_t i, const auto& figures) {
    if (figures.spans == 0 && counts.class_allocations[i] == 0) return;
    m.classes.push_back(
        {memory::kSizeClasses[i].block_bytes, live_blocks(figures), counts.class_allocations[i]});
  });
  m.large = large_part(s.host);

  DeviceMetrics host;
  host.live_blocks = m.live_blocks;
  host.live_bytes = m.live_bytes;
  host.peak_bytes = m.peak_bytes;
  host.failed_allocations = s.device_counts[0].failed.load();
  host.memory.live_bytes = m.small.live_bytes + m.large.live_bytes;
  host.memory.committed_bytes = m.small.committed_bytes + m.large.committed_bytes;
  host.memory.peak_committed_bytes = m.small.peak_committed_bytes + m.large.peak_committed_bytes;
  host.memory.free_bytes = m.small.free_bytes + m.large.free_bytes;
  host.memory.largest_free_bytes = std::max(m.small.largest_free_bytes, m.large.largest_free_bytes);
  host.memory.limit_bytes = m.small.limit_bytes + m.large.limit_bytes;
  m.devices.push_back(host);
  for (std::uint16_t n = 1; n <= s.devices.size(); ++n) {
    const State::DeviceCounts& c = s.device_counts[n];
    DeviceMetrics device;
    device.device = s.devices.device(n);
    device.live_blocks = not_negative(c.blocks.load());
    device.live_bytes = not_negative(c.live.load());
    device.peak_bytes = not_negative(c.peak.load());
    device.failed_allocations = c.failed.load();
    device.memory = s.devices.at(n).metrics();
    m.devices[0].live_blocks -= std::min(m.devices[0].live_blocks, device.live_blocks);
    m.devices[0].live_bytes -= std::min(m.devices[0].live_bytes, device.live_bytes);
    m.devices.push_back(device);
  }
  const std::uint64_t held = m.small.live_bytes + m.large.live_bytes;
  m.waste_bytes = held - std::min(held, m.devices[0].live_bytes);
  const std::lock_guard lock(s.steps_mutex);
  m.pressure = s.steps;
  m.compression = s.inactive.figures();
  return m;
}

std::optional<DetailedMemoryMetrics> HybridMemoryPool::detailed_metrics() {
  if (!state_->tracker) return std::nullopt;
  return state_->tracker->detailed_metrics();
}

bool HybridMemoryPool::is_live(std::uint64_t address) const {
  return owns(reinterpret_cast<const void*>(address));
}

std::vector<FragmentationRange> HybridMemoryPool::fragmentation_map() const {
  // Small blocks first, large ones behind them, as their address space lies. Beyond so many ranges
  // a picture shows no more.
  constexpr std::size_t kMaxRanges = 4096;
  std::vector<FragmentationRange> map;
  std::uint64_t base = 0;
  for (const memory::Arenas* arenas :
       {&state_->host.small().arenas(), &state_->host.large().arenas()}) {
    std::vector<FragmentationRange> free;
    arenas->for_each_free([&](std::uint32_t first, std::uint32_t units, bool dirty) {
      free.push_back({base + std::uint64_t{first} * kUnitBytes, std::uint64_t{units} * kUnitBytes,
                      dirty ? RangeState::free : RangeState::decommitted});
    });
    std::sort(free.begin(), free.end(),
              [](const auto& a, const auto& b) { return a.offset < b.offset; });
    const std::uint64_t end = base + arenas->space().open_units * kUnitBytes;
    std::uint64_t at = base;
    const auto add = [&](std::uint64_t to, RangeState state) {
      if (to <= at) return;
      if (!map.empty() && map.back().state == state && map.back().offset + map.back().bytes == at)
        map.back().bytes += to - at;
      else if (map.size() < kMaxRanges)
        map.push_back({at, to - at, state});
      at = to;
    };
    for (const FragmentationRange& range : free) {
      add(range.offset, RangeState::used);
      add(range.offset + range.bytes, range.state);
    }
    add(end, RangeState::used);
    base = end;
  }
  return map;
}

CleanupFigures HybridMemoryPool::cleanup_figures(std::optional<Device> device) const {
  const State& s = *state_;
  CleanupFigures figures;
  if (!device || *device == Device{}) {
    const PartMetrics small = small_part(s.host, [](auto&&...) {}), large = large_part(s.host);
    figures.live_bytes = small.live_bytes + large.live_bytes;
    figures.committed_bytes = small.committed_bytes + large.committed_bytes;
    figures.limit_bytes = small.limit_bytes + large.limit_bytes;
    if (const std::uint64_t held = small.committed_bytes; held > 0)
      figures.fragmentation =
          1.0 - static_cast<double>(std::min(small.live_bytes, held)) / static_cast<double>(held);
    const std::uint64_t used =
        std::max(s.host.small().arenas().last_use_ms(), s.host.large().arenas().last_use_ms());
    const std::uint64_t now = os::coarse_milliseconds();
    figures.idle = std::chrono::milliseconds(now > used ? now - used : 0);
  }
  for (std::uint16_t n = 1; n <= s.devices.size(); ++n) {
    if (device && !(s.devices.device(n) == *device)) continue;
    const PartMetrics part = s.devices.at(n).metrics();
    figures.live_bytes += part.live_bytes;
    figures.committed_bytes += part.committed_bytes;
    figures.limit_bytes += part.limit_bytes;
  }
  figures.reclaimable_bytes =
      figures.committed_bytes - std::min(figures.committed_bytes, figures.live_bytes);
  return figures;
}

}  // namespace bitnet
