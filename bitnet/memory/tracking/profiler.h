// SPDX-License-Identifier: MIT OR Apache-2.0
// What happened between two moments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/memory/tracking/lifetimes.h"
#include "bitnet/memory/tracking/stats.h"
#include "bitnet/memory/tracking/vote_table.h"

namespace bitnet {

struct ProfileReport {
  struct Size {
    std::uint64_t bytes = 0;
    std::uint64_t allocations = 0;
  };
  std::string name;
  std::uint64_t begin_ms = 0;  // since the tracker began
  std::uint64_t duration_ms = 0;
  BlockStats total;  // of the session; live counts are those at its end
  std::vector<TagStats> top_tags;
  std::vector<SiteStats> top_sites;
  std::vector<Size> top_sizes;  // by allocations
  Lifetimes lifetimes;          // of blocks that ended in the session
  PeakWatch::Peak peak;         // in the session, with what was live at it
};

/// One session at a time. Not synchronized: the tracker's lock is around it.
class Profiler {
 public:
  static constexpr std::size_t kTop = 20;

  bool running() const noexcept { return session_.has_value(); }
  /// Throws Error{invalid_argument} where a session runs.
  void start(std::string name, std::uint64_t now_ms, const Aggregates& now);
  /// Throw Error{invalid_argument} where none runs.
  ProfileReport report(std::uint64_t now_ms, const Aggregates& now) const;
  ProfileReport stop(std::uint64_t now_ms, const Aggregates& now);

  // Nothing where no session runs.
  void allocated(std::uint64_t bytes, std::uint64_t now_ms, const Aggregates& now);
  /// `now` still has the block.
  void ending(const Aggregates& now);
  void ended(std::uint16_t tag, std::uint64_t bytes, std::uint64_t life_ms);

 private:
  struct Session {
    std::string name;
    std::uint64_t begin_ms = 0;
    Aggregates before;
    Lifetimes lifetimes;
    VoteTable<256> sizes;
    PeakWatch peak;
  };
  std::optional<Session> session_;
};

}  // namespace bitnet
