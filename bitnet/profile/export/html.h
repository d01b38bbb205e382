// SPDX-License-Identifier: MIT OR Apache-2.0
// A profile as one page for people.
#pragma once

#include <string>

#include "bitnet/profile/export/document.h"

namespace bitnet::profile {

/// One HTML document without outside resources: the roofline with a dot for each op, a table of the
/// ops, the spans of one step in time, the tree of calls. Follows the reader's dark or light
/// setting. The page holds at most 20000 events.
std::string to_html(const Document& document);

}  // namespace bitnet::profile
