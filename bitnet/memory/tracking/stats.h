// SPDX-License-Identifier: MIT OR Apache-2.0
// Counts by tag and by site, and what was live at the peak.
#pragma once

#include <cstdint>
#include <vector>

namespace bitnet {

/// Of blocks whose events were seen; what is reported is scaled up from the sample.
struct BlockStats {
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t live_blocks = 0;
  std::uint64_t live_bytes = 0;

  void allocate(std::uint64_t bytes) noexcept {
    ++allocations;
    allocated_bytes += bytes;
    ++live_blocks;
    live_bytes += bytes;
  }
  void free(std::uint64_t bytes) noexcept {
    ++frees;
    --live_blocks;
    live_bytes -= bytes;
  }
};

struct TagStats : BlockStats {
  std::uint16_t tag = 0;
};

/// A site knows only the blocks whose stacks were taken.
struct SiteStats : BlockStats {
  std::uint32_t site = 0;
};

/// Every tag and site by its index; those never seen have no allocations.
struct Aggregates {
  BlockStats total;
  std::vector<TagStats> tags;
  std::vector<SiteStats> sites;

  void allocate(std::uint16_t tag, std::uint64_t bytes);
  /// The stack of a live block became known.
  void attribute(std::uint32_t site, std::uint64_t bytes);
  void free(std::uint16_t tag, std::uint32_t site, std::uint64_t bytes) noexcept;

  /// What happened since `before`; live counts stay as they are.
  Aggregates since(const Aggregates& before) const;
  std::vector<TagStats> top_tags(std::size_t count) const;  // by live, then by allocated bytes
  std::vector<SiteStats> top_sites(std::size_t count) const;
};

/// The largest live bytes of a span of time, and what they consisted of.
class PeakWatch {
 public:
  struct Peak {
    std::uint64_t bytes = 0;
    std::uint64_t time_ms = 0;
    /// Of the moment kept: within 1 % of the peak.
    std::uint64_t kept_bytes = 0;
    std::vector<TagStats> tags;
    std::vector<SiteStats> sites;
  };

  void begin(const Aggregates& now, std::uint64_t time_ms);
  /// After an allocation.
  void rise(const Aggregates& now, std::uint64_t time_ms) {
    if (now.total.live_bytes <= peak_.bytes) return;
    peak_.bytes = now.total.live_bytes;
    peak_.time_ms = time_ms;
  }
  /// Before a free: a peak ends here. Copies what is live if it rose by 1 % since the last copy, so
  /// growth to n bytes costs some hundred copies.
  void fall(const Aggregates& now) {
    if (now.total.live_bytes == peak_.bytes && peak_.bytes - peak_.kept_bytes > peak_.bytes / 100)
      keep(now);
  }
  /// With what is live now, where that is the peak.
  Peak peak(const Aggregates& now) const;

 private:
  void keep(const Aggregates& now);
  Peak peak_;
};

}  // namespace bitnet
