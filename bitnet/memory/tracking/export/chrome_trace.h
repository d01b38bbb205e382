// SPDX-License-Identifier: MIT OR Apache-2.0
// A tracker's timeline as a trace that Perfetto and chrome://tracing open.
#pragma once

#include <string>

#include "bitnet/memory/tracking/report.h"

namespace bitnet {

/// Counters of live bytes by tag, committed and peak bytes; the running profile as a slice; leaks
/// and patterns as instants at the report's time. Format: "Trace Event Format" (JSON object form),
/// times in microseconds since the tracker began.
std::string to_chrome_trace(const TrackingReport& report);

}  // namespace bitnet
