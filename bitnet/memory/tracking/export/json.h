// SPDX-License-Identifier: MIT OR Apache-2.0
// A tracker's report as JSON.
#pragma once

#include <string>

#include "bitnet/base/json_writer.h"
#include "bitnet/memory/tracking/report.h"

namespace bitnet {

/// One object, "schema": "bitnet.memory_tracking/1"; names of members end with their unit.
std::string to_json(const TrackingReport& report);
/// The same as a value of a larger document.
void write_json(JsonWriter& json, const TrackingReport& report);

}  // namespace bitnet
