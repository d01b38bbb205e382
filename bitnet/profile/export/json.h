// SPDX-License-Identifier: MIT OR Apache-2.0
// A profile as JSON.
#pragma once

#include <string>

#include "bitnet/profile/export/document.h"

namespace bitnet::profile {

/// One object, "schema": "bitnet.profile/1": facts, roof, hardware counts, ops, the tree of calls.
/// What is not known is null. Events are left out: to_chrome_trace() has them.
std::string to_json(const Document& document);

/// The same with "events" as arrays [index of the call, lane, begin in microseconds, duration in
/// microseconds]: at most `most_events`, of which up to a tenth are the earliest, in whole
/// outermost spans (a prompt), and the others the latest.
std::string to_json_with_events(const Document& document, std::size_t most_events);

}  // namespace bitnet::profile
