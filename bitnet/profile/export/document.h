// SPDX-License-Identifier: MIT OR Apache-2.0
// What the exports write: what was recorded, and on what.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/profile/hardware_counters.h"
#include "bitnet/profile/report.h"
#include "bitnet/profile/roof.h"

namespace bitnet::profile {

struct Document {
  Report report;
  Roof roof;
  HardwareCounts hardware;
  std::vector<std::pair<std::string, std::string>> facts;  // "model": "…", "threads": "2"
};

/// Whole nanoseconds, in the unit of traces.
inline double to_microseconds(double seconds) noexcept { return std::round(seconds * 1e9) / 1e3; }

}  // namespace bitnet::profile
