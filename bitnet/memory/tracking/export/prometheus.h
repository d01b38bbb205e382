// SPDX-License-Identifier: MIT OR Apache-2.0
// A tracker's numbers for a Prometheus server.
#pragma once

#include <string>

#include "bitnet/memory/tracking/detailed_metrics.h"

namespace bitnet {

/// Text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): names begin with
/// "bitnet_memory_" and end with their unit, counters with "_total".
/// Content type: text/plain; version=0.0.4; charset=utf-8
std::string to_prometheus(const DetailedMemoryMetrics& metrics);

}  // namespace bitnet
