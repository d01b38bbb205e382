// SPDX-License-Identifier: MIT OR Apache-2.0
// Spans for chrome://tracing and ui.perfetto.dev.
#pragma once

#include <string>

#include "bitnet/profile/report.h"

namespace bitnet::profile {

/// JSON object format of the Trace Event Format: a complete event ("X") for each kept span, a row
/// for each lane; "otherData" says how many have no event.
std::string to_chrome_trace(const Report& report);

}  // namespace bitnet::profile
