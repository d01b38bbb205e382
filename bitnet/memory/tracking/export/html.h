// SPDX-License-Identifier: MIT OR Apache-2.0
// A tracker's report as one page for people.
#pragma once

#include <string>

#include "bitnet/memory/tracking/report.h"

namespace bitnet {

/// One HTML document without outside resources: timeline of live bytes by tag, flame view of the
/// sites, fragmentation map, tables. Follows the reader's dark or light setting. The timeline is
/// reduced to about 2000 points; the report's JSON (json.h) is in the element "data".
std::string to_html(const TrackingReport& report);

}  // namespace bitnet
