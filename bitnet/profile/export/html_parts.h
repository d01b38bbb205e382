// SPDX-License-Identifier: MIT OR Apache-2.0
// The page's fixed parts.
#pragma once

namespace bitnet::profile {

extern const char kPageStyle[];
extern const char kPageBody[];
extern const char kPageRoofline[];  // JavaScript: units, colours, the roofline
extern const char kPageTables[];    // JavaScript: tiles, tables, one step in time, and the start

}  // namespace bitnet::profile
