// SPDX-License-Identifier: MIT OR Apache-2.0
// A tracker's tables as CSV (RFC 4180; lines end with CR LF, the first names the columns).
#pragma once

#include <string>

#include "bitnet/memory/tracking/report.h"

namespace bitnet {

enum class CsvTable { timeline, tags, sites, leaks, patterns };

std::string to_csv(const TrackingReport& report, CsvTable table);

}  // namespace bitnet
